-- Record the MIDI that comes to one track, for ardour's Lua interpreter (no display needed).
-- Environment: DIR, an absent folder that becomes the session; SECS, how long it waits for each
-- file at most; RATE in hertz.
-- When DIR/CONNECT appears, connect a port to "ardour:LiveCoverIn/midi_in 1" from outside and make
-- DIR/CONNECTED; from DIR/READY on it records, until there is DIR/STOP. The take lies in
-- DIR/interchange/*/midifiles/.
local dir, secs = os.getenv("DIR"), tonumber(os.getenv("SECS"))
local rate = tonumber(os.getenv("RATE"))

local function pause(s) ARDOUR.LuaAPI.usleep(math.floor(s * 1000000)) end
local function mark(name) local f = io.open(dir .. "/" .. name, "w"); f:write("1"); f:close() end
local function wait_for(name)
  local deadline = os.time() + secs
  while os.time() < deadline do
    local f = io.open(dir .. "/" .. name, "r")
    if f then f:close(); return end
    pause(0.1)
  end
  error("waited in vain for " .. name)
end

-- "JACK/Pipewire" would fall back to the dummy backend without a word.
AudioEngine:set_backend("JACK", "ardour", "")
assert(AudioEngine:current_backend_name() == "JACK", "JACK backend not available")
local session = assert(create_session(dir, "rec", rate), "no session")
pause(1.0) -- the session's auto-connect thread must end: libjack's socket is not for two threads

local midi = ARDOUR.ChanCount(ARDOUR.DataType("midi"), 1)
local tracks = session:new_midi_track(midi, midi, true, ARDOUR.PluginInfo(), nil, nil, 1,
  "LiveCoverIn", ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, false, false)
local track = tracks:front()
pause(1.0)
track:rec_enable_control():set_value(1, PBD.GroupControlDisposition.NoGroup)
mark("CONNECT")
wait_for("CONNECTED")

session:goto_start(false)
session:maybe_enable_record()
session:request_roll(ARDOUR.TransportRequestSource.TRS_UI)
pause(0.3)
assert(session:transport_rolling() and session:actively_recording(), "does not record")
mark("READY")
wait_for("STOP")

session:request_stop(false, false, ARDOUR.TransportRequestSource.TRS_UI)
pause(0.7)
track:rec_enable_control():set_value(0, PBD.GroupControlDisposition.NoGroup)
session:save_state("", false, false, false, false, false)
print("regions", track:playlist():region_list():size())
pause(0.3)
session = nil
close_session()
quit()
