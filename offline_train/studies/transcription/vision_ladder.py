"""The runs of paper 3's study: the paper's networks, and changes to its Transformer, one by one.

Not here: how they are trained and evaluated (``vision_study``).
"""

from dataclasses import dataclass, replace

from models.papers.seq2seq import TransformerConfig


@dataclass(frozen=True, slots=True)
class Rung:
    """One run: a network, how it is asked, and what tables call it."""

    network: str
    setting: str
    beta: float = 0.05
    as_printed: bool = False
    transformer: TransformerConfig | None = None
    learning_rate: float = 0.0  # 0 takes the scale's
    is_warmed: bool = False  # the rate rises at first and falls in the end

    @property
    def name(self) -> str:
        """What files call it."""
        plain = f"{self.network}-{self.setting}".lower().replace("β ", "beta")
        return "-".join(plain.replace(",", "").split())


PICTURES = tuple(
    Rung(network, f"β {beta}", beta) for network in ("CRNN", "FCNN") for beta in (0.05, 0.5, 0.2)
)
PAPER_RATE, MENDED_RATE = 3e-4, 1e-3
AS_PRINTED = Rung("FCNN", "β 0.5, as printed", 0.5, as_printed=True)
PAPER = TransformerConfig("encoder")
MENDED = replace(PAPER, is_scaled=True, has_stem=True, norm_first=True, first_probability=0.05)
TRANSFORMERS = tuple(
    Rung("Transformer", setting, beta, transformer=network, learning_rate=rate, is_warmed=is_warmed)
    for setting, network, beta, rate, is_warmed in (
        ("sequence to sequence", replace(PAPER, kind="seq2seq"), 0.05, PAPER_RATE, False),
        ("blind", replace(PAPER, kind="blind"), 0.05, PAPER_RATE, False),
        ("blind, features scaled", replace(PAPER, kind="blind", is_scaled=True), 0.05, PAPER_RATE,
         False),
        ("blind, β 0.2", replace(PAPER, kind="blind"), 0.2, PAPER_RATE, False),
        ("encoder", PAPER, 0.05, PAPER_RATE, False),
        ("encoder, features scaled", replace(PAPER, is_scaled=True), 0.05, PAPER_RATE, False),
        ("encoder, stem", replace(PAPER, has_stem=True), 0.05, PAPER_RATE, False),
        ("encoder, norm first", replace(PAPER, norm_first=True), 0.05, PAPER_RATE, False),
        ("encoder, β 0.2", PAPER, 0.2, PAPER_RATE, False),
        ("encoder, rate 1e-3, warmed", PAPER, 0.05, MENDED_RATE, True),
        ("mended, β 0.05", MENDED, 0.05, MENDED_RATE, True),
        ("mended", MENDED, 0.2, MENDED_RATE, True),
    )
)  # fmt: skip
DRAWN = ("sequence to sequence", "blind", "encoder", "mended")
LADDER = (*PICTURES, AS_PRINTED, *TRANSFORMERS)
