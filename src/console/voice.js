// Listening in on a call, and taking it: sound over a WebSocket.
import { token, toast } from "./kit.js";

let open = null;
const watchers = new Set();
// `watch(f)`: `f` is told who is listened to: `{id, talks, level}` or null.
export const watch = (f) => { watchers.add(f); f(open); return () => watchers.delete(f); };
const tell = () => { for (const f of watchers) f(open); };
export const current = () => open;

export function hangUp() {
  if (!open) return;
  const { socket, context, stream } = open;
  open = null;
  socket?.close();
  context?.close();
  for (const track of stream?.getTracks() || []) track.stop();
  tell();
}

export async function listenIn(id) { await connect(id, false); }
export async function takeOver(id) { await connect(id, true); }

async function connect(id, talks) {
  if (token()) throw new Error("listening in takes a log-in with a name, not the token: firstline user add");
  hangUp();
  const mine = { id, talks, frames: 0 };
  // The microphone first: nobody takes a call they cannot speak on.
  if (talks) {
    if (!navigator.mediaDevices) throw new Error("the microphone needs https, or this computer's own address");
    mine.stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } })
      .catch(() => { throw new Error("the browser gave no microphone"); });
  }
  mine.context = new AudioContext({ sampleRate: 16000, latencyHint: "interactive" });
  await mine.context.audioWorklet.addModule("/console/worklet.js");
  const ear = new AudioWorkletNode(mine.context, "ear", { outputChannelCount: [2] });
  ear.connect(mine.context.destination);
  const url = new URL("/api/calls/" + encodeURIComponent(id) + (talks ? "/talk" : "/listen"), location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  mine.socket = socket;
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("that call is not in progress any more"));
  }).catch((error) => { mine.context.close(); for (const t of mine.stream?.getTracks() || []) t.stop(); throw error; });
  socket.onmessage = ({ data }) => { mine.frames++; ear.port.postMessage(data, [data]); };
  socket.onclose = () => { if (open === mine) { hangUp(); toast(talks ? "The call is over." : "No longer listening: the call is over."); } };
  if (talks) {
    const mouth = new AudioWorkletNode(mine.context, "mouth", { numberOfOutputs: 0 });
    mouth.port.onmessage = ({ data }) => { if (socket.readyState === WebSocket.OPEN) socket.send(data); };
    mine.context.createMediaStreamSource(mine.stream).connect(mouth);
  }
  await mine.context.resume();
  open = mine;
  tell();
}
