// The panel's address for other devices, and its renewal.

const $ = (id) => document.getElementById(id);

/** Bind the dialog; `send(message)`. Returns a handler of `address` messages. */
export function bindTablet(send) {
  let address = "";
  $("tablet-open").addEventListener("click", () => {
    if (address) $("tablet-code").src = "qr.svg";
    $("tablet").showModal();
  });
  $("tablet-renew").addEventListener("click", () => send({ type: "do", action: "renew_address" }));
  return (message) => {
    if (!location.pathname.startsWith(message.path)) return location.replace(message.path);
    address = message.address;
    $("tablet-address").textContent = address;
    $("tablet-here").hidden = !address;
    $("tablet-closed").hidden = Boolean(address);
  };
}
