"""Places calls to a line of its own and shows them: what scripts/demo and scripts/bench run after building.

Starts the sample desk's back office, the line and a stand-in human phone on free ports, and stops all of them again,
however it ends. Uses Python's standard library only.
"""

import argparse
import json
import math
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import wave

ROOT = pathlib.Path(__file__).resolve().parent.parent
CALLERS = ROOT / "examples/larchpay/callers"
COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

# What each call is for, who calls, what they say in order, and how it has to end.
CALLS = {
    "fact": ("A fact, and a follow-up", ["1", "2", "3"], "resolved from the articles"),
    "move": ("A payment moved, with proof of identity", ["1", "zip", "day", "yes", "bye"], "resolved, one write"),
    "dispute": ("A charge the caller never made", ["1", "2", "3"], "transferred to a human who takes it"),
    "person": ("Interrupts, wants a person, nobody answers", ["1", "2", "3", "when", "bye"], "callback promised"),
    "scope": ("Words this line is not for", ["1", "2", "3"], "nothing invented"),
}
# The longest first, so that calls placed side by side end together.
ORDER = ["move", "dispute", "person", "scope", "fact"]
NUMBERS = {"a": "+12025550142", "b": "+12025550117", "c": "+12025550163"}


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def free_port():
    """A port free for UDP and TCP, below those that the system hands to sockets that ask for any: nobody takes it before the program that is told to."""
    for port in random.SystemRandom().sample(range(10000, 16000), 200):
        try:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with socket.socket(socket.AF_INET, kind) as s:
                    s.bind(("127.0.0.1", port))
            return port
        except OSError:
            continue
    sys.exit("no port of 10000-15999 is free")


def get(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as r:
        return json.load(r)


class Stage:
    """Everything that runs, in a folder of its own."""

    def __init__(self, bin_dir, keep_in, cache=None):
        """`cache`: a folder for clauses and vectors of this line alone."""
        self.cache = cache
        self.firstline = str(pathlib.Path(bin_dir) / "firstline")
        self.backoffice_bin = str(pathlib.Path(bin_dir) / "examples/larchpay_backoffice")
        self.dir = pathlib.Path(keep_in or tempfile.mkdtemp(prefix="firstline-"))
        self.dir.mkdir(parents=True, exist_ok=True)
        self.recordings = self.dir / "recordings"
        self.running = []
        self.watchers = []

    def start(self, name, command, env=None, ready=None, wait_s=120):
        """Starts a program; returns once its `ready` line is there, with the names on it."""
        log = self.dir / f"{name}.log"
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=open(log, "w"), text=True, start_new_session=True)
        self.running.append((name, process))
        found = {}
        if ready:
            lines = iter(process.stdout.readline, "")
            timer = threading.Timer(wait_s, process.kill)
            timer.start()
            for line in lines:
                if line.startswith(ready):
                    found = dict(part.split("=", 1) for part in line.split() if "=" in part)
                    break
            timer.cancel()
            if not found:
                tail = "\n".join(log.read_text().splitlines()[-15:])
                sys.exit(f"{name} did not start; its last words:\n{tail}")
        threading.Thread(target=lambda: [None for _ in process.stdout], daemon=True).start()
        return process, found

    def line(self):
        _, office = self.start("backoffice", [self.backoffice_bin, "--listen", "127.0.0.1:0", "--db", str(self.dir / "larchpay.db")],
                               ready="ready ")
        self.office = "http://" + office["http"]
        # The desk as it is, but with this run's ports, and open at any hour.
        self.human_port, self.silent_port = free_port(), free_port()
        desk = self.dir / "desk"
        shutil.rmtree(desk, ignore_errors=True)
        shutil.copytree(ROOT / "examples/larchpay", desk, ignore=shutil.ignore_patterns("callers"))
        text = (desk / "desk.toml").read_text()
        text = text.replace("http://127.0.0.1:8090", self.office).replace("127.0.0.1:5090", f"127.0.0.1:{self.human_port}")
        (desk / "desk.toml").write_text(re.sub(r"(?m)^hours .*\n", "", text))
        sip, http = free_port(), free_port()
        base = 20000 + sip % 10000 // 2 * 2
        self.line_process, ready = self.start("line", [self.firstline, "serve", "--config", str(ROOT / "sip-config/firstline.toml")], {
            "FIRSTLINE_SIP__LISTEN": f"udp:127.0.0.1:{sip}",
            "FIRSTLINE_SIP__ADVERTISE": "127.0.0.1",
            "FIRSTLINE_SIP__RTP_PORTS": f"{base}-{base + 999}",
            "FIRSTLINE_HTTP__LISTEN": f"127.0.0.1:{http}",
            "FIRSTLINE_DESK__PATH": str(desk),
            "FIRSTLINE_TRANSFER__TARGETS": f"sip:human@127.0.0.1:{self.silent_port};ring_s=6",
            "FIRSTLINE_STORAGE__URL": f"sqlite:{self.dir / 'firstline.db'}",
            "FIRSTLINE_STORAGE__RECORDINGS": str(self.recordings),
            "FIRSTLINE_LIMITS__CALLS": "64",
            **({"FIRSTLINE_CACHE": str(self.cache)} if self.cache else {}),
        }, ready="ready ", wait_s=600)
        self.uri, self.api = f"sip:line@127.0.0.1:{sip}", f"http://127.0.0.1:{http}"
        threading.Thread(target=self.watch, daemon=True).start()
        return ready

    def watch(self):
        """Hands every event of the line to whoever listens."""
        kind = ""
        with urllib.request.urlopen(self.api + "/api/events") as stream:
            for raw in stream:
                if raw.startswith(b"event:"):
                    kind = raw[6:].strip().decode()
                elif raw.startswith(b"data:"):
                    event = json.loads(raw[5:])
                    if isinstance(event, dict) and "call" in event:  # not the list of calls that a stream begins with
                        event.setdefault("event", kind)
                        for watcher in list(self.watchers):
                            watcher(event)

    def human(self, answers=True):
        port = self.human_port if answers else self.silent_port
        does = ["--dtmf", "1", "--say", str(CALLERS / "human-hello.wav"), "--say", str(CALLERS / "human-bye.wav")] if answers else ["--no-answer"]
        self.start("human" if answers else "absent", [self.firstline, "call", "--listen", f"sip:human@127.0.0.1:{port}", *does])

    def call(self, name, voice, number=None, timeout_s=180, say=None):
        if say is None:
            say = self.script(name, voice)
        command = [self.firstline, "call", self.uri, "--from", number or NUMBERS[voice], "--json", *say]
        return self.phone(name, command, timeout_s)

    def script(self, name, voice):
        say = []
        for n, part in enumerate(CALLS[name][1]):
            if name == "person" and n == 1:
                say += ["--barge", "2500"]  # while the line is still answering
            say += ["--say", str(CALLERS / f"{name}-{voice}-{part}.wav")]
        return say

    def phone(self, name, command, timeout_s):
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, start_new_session=True)
        self.running.append((f"caller {name}", process))
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        try:
            return json.loads(out.strip().splitlines()[-1])
        except (ValueError, IndexError):
            return {"error": (err.strip().splitlines() or ["the caller said nothing"])[-1]}

    def record(self, call_id):
        path = self.recordings / call_id / "record.json"
        for _ in range(50):
            if path.exists():
                record = json.loads(path.read_text())
                if record.get("outcome"):
                    return record
            time.sleep(0.2)
        return None

    def stop(self):
        for name, process in reversed(self.running):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        until = time.time() + 5
        for _, process in self.running:
            try:
                process.wait(max(0.1, until - time.time()))
            except subprocess.TimeoutExpired:
                process.kill()


def show(event, call=""):
    """One event as a line to read; `call` says whose it is where several are up."""
    name = f"{call:<8} " if call else ""
    at = f"{name}{event.get('at_ms', 0) / 1000:6.1f} s  "
    indent = f"{name:<{len(at) + 8}}"
    kind = event.get("event")
    if kind == "caller":
        words = event.get("text") or f"(keys {event.get('keyed')})"
        print(at + paint("1;36", "caller  ") + words, flush=True)
    elif kind == "decision":
        d = event["decision"]
        source = d["sources"][0]["id"] if d.get("sources") and d["route"] == "answer" else d.get("action") or "-"
        waits = f", waits for {d['pending']}" if d.get("pending") else ""
        print(indent + paint("2", f"{d['route']}{waits} · {d.get('intent') or 'no intent'} · confidence {d['confidence']:.2f} · {source} · {d['reason']}"), flush=True)
    elif kind == "agent":
        gap = f"  [{event['gap_ms']} ms]" if event.get("gap_ms") is not None else ""
        print(at + paint("1;32", "line    ") + event["text"] + paint("33", gap), flush=True)
    elif kind == "heard" and event.get("interrupted"):
        print(indent + paint("35", f"interrupted; heard: {event['heard']}"), flush=True)
    elif kind == "transfer":
        print(at + paint("1;35", "human   ") + " ".join(filter(None, [event["stage"], event["target"], event["detail"]])), flush=True)
    elif kind == "brief":
        print(at + paint("1;35", "brief   ") + event["text"], flush=True)
    elif kind == "request":
        print(indent + paint("2", f"back office: {event['method']} {event['path']}"), flush=True)
    elif kind == "callback":
        print(at + paint("1;35", "callback") + f" {event['number']} {event.get('when') or ''}", flush=True)
    elif kind == "problem":
        print(at + paint("1;31", "problem ") + event["text"], flush=True)
    elif kind == "ended":
        print(at + paint("1", f"ended   {event['outcome']}") + f" ({event['cause']}: {event['reason']})", flush=True)


def wrong(name, record, stage):
    """Why a call did not end as it should; none where it did."""
    # A goodbye is no answer to anything.
    routes = [t["decision"]["route"] for t in record["turns"] if t.get("decision") and t["decision"]["reason"] != "the caller has all they need"]
    outcome = record["outcome"]
    want = {"fact": ["resolved"], "move": ["resolved"], "dispute": ["transferred"], "person": ["callback"], "scope": ["resolved", "abandoned"]}[name]
    if outcome not in want:
        return f"outcome {outcome}"
    if not record["disclosed"]:
        return "the caller was not told that this is an automated assistant"
    if name == "fact":
        # What a missed payment costs stands in two articles; callers word the question either way.
        answered = [t["decision"]["sources"][0]["id"] for t in record["turns"] if t.get("decision") and t["decision"]["route"] == "answer" and t["decision"]["sources"]]
        if not ({"late-fee", "missed-payment"} & set(answered) and "pay-early" in answered):
            return f"answered from {answered}"
    if name == "move":
        done = [a for a in record["actions"] if a["name"] == "reschedule_payment" and a["status"] == "done" and a["confirmed"]]
        writes = [w for w in get(stage.office + "/_log")["writes"] if "/reschedule" in w["request"] and w["status"] == 200]
        if len(done) != 1 or len(writes) != 1 or record["verified"] != "full":
            return f"{len(done)} done, {len(writes)} written, verified {record['verified']}"
    if name == "dispute" and not (record.get("handoff") or {}).get("accepted_by"):
        return "nobody took the call"
    if name == "person":
        # The caller speaks up 2.5 s into the reply; a shorter one, such as a question back, leaves nothing to interrupt.
        said = [t["agent"] for t in record["turns"][1:2] if t.get("agent")]
        long = any(a["end_ms"] - a["start_ms"] > 2600 for a in said)
        if long and not any(t["interrupted"] for t in record["turns"]):
            return "the caller did not interrupt"
        if not get(stage.api + "/api/callbacks"):
            return "the callback is not in the queue"
    if name == "scope" and any(r in ("answer", "act") for r in routes):
        return f"decided {routes}"
    return None


def gaps(record):
    return [t["gap_ms"] for t in record["turns"] if t.get("gap_ms") is not None]


def table(rows):
    widths = [max(len(str(r[i])) for r in rows) for i in range(len(rows[0]))]
    for n, row in enumerate(rows):
        print("  ".join(str(c).ljust(w) for c, w in zip(row, widths)).rstrip())
        if n == 0:
            print("  ".join("-" * w for w in widths))


def demo(args):
    stage = Stage(args.bin, None)
    failed = 0
    try:
        stage.line()
        stage.human(answers=True)
        stage.human(answers=False)
        time.sleep(0.5)
        # Calls that are up together ring from different numbers; the mover's own number is part of the proof.
        voices = [args.voices] + [v for v in NUMBERS if v != args.voices]
        names = list(args.only or ORDER)
        lanes, waiting = min(args.lanes, len(voices)), list(names)
        taken, done, lock = {}, {}, threading.Lock()

        def watcher(event):
            with lock:
                if event.get("event") == "answered":
                    for place in taken.values():
                        if place["number"] == event.get("from") and place["id"] is None:
                            place["id"] = event["call"]
                name = next((n for n, p in taken.items() if p["id"] == event.get("call")), None)
            if name:
                show(event, name if lanes > 1 else "")

        def lane(voice):
            while True:
                with lock:
                    # What proves who is calling can only be said on that caller's own number.
                    name = next((n for n in waiting if n != "move" or voice == args.voices), None)
                    if name is None:
                        return
                    waiting.remove(name)
                    taken[name] = {"number": NUMBERS[voice], "id": None}
                title, _, expected = CALLS[name]
                print("\n" + paint("1", f"── {title} ({name}) ──"), flush=True)
                report = stage.call(name, args.voices, NUMBERS[voice])
                time.sleep(1)
                place = taken[name]
                record = stage.record(place["id"]) if place["id"] else None
                if record is None:
                    done[name] = (name, expected, "none", 0, "-", "-", f"NO: {report.get('error', 'no record of this call')}", "-")
                    continue
                why, times = wrong(name, record, stage), gaps(record)
                done[name] = (name, expected, record["outcome"], len(record["turns"]),
                              f"{statistics.median(times):.0f} ms" if times else "-", f"{max(times)} ms" if times else "-",
                              f"NO: {why}" if why else "yes", stage.recordings / place["id"] / "audio.wav")

        stage.watchers = [watcher]
        threads = [threading.Thread(target=lane, args=(voice,)) for voice in voices[:lanes]]
        for n, t in enumerate(threads):
            time.sleep(2 * min(n, 1))
            t.start()
        for t in threads:
            t.join()
        stage.watchers = []
        rows = [("call", "expected", "outcome", "turns", "gap median", "worst", "as it should", "listen")]
        rows += [done.get(name, (name, CALLS[name][2], "none", 0, "-", "-", "NO: not placed", "-")) for name in CALLS if name in names]
        failed = sum(row[6] != "yes" for row in rows[1:])
        print("\n" + paint("1", "── Summary ──"))
        table(rows)
        print(f"\nRecordings, records and transcripts: {stage.recordings}\nCallbacks promised and the ledger: {stage.dir / 'firstline.db'}")
        if args.keep:
            print(f"\nThe line goes on: call {stage.uri} with a softphone on this computer, console {stage.api}/console. Ctrl-C ends it.", flush=True)
            stage.line_process.wait()
    except KeyboardInterrupt:
        failed = failed or 130
    finally:
        stage.stop()
    return failed


def machine():
    info = dict(l.split(":", 1) for l in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if ":" in l)
    names = [v.strip() for k, v in info.items() if k.strip() == "model name"]
    return f"{names[0] if names else os.uname().machine}, {os.cpu_count()} cores, {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"


def used(pid):
    """CPU seconds and most memory in MB of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    peak = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(peak[1]) / 1024


def stolen():
    """CPU seconds that the host of a virtual machine gave to somebody else so far."""
    return int(pathlib.Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")


def share(values, part):
    """The value below which `part` of them lie."""
    values = sorted(values)
    return values[min(len(values) - 1, round(part * (len(values) - 1)))] if values else None


def ms(value):
    return "-" if value is None else f"{value:.0f}"


def place(stage, together, rounds, turn_from=0):
    """Calls side by side, `rounds` times, begun at different moments of each other's talk: (record, report) of each that was answered."""
    ids, reports = {}, {}
    stage.watchers = [lambda e: ids.setdefault(e.get("from"), e["call"]) if e.get("event") == "answered" else None]
    for n in range(rounds):
        def one(i):
            number = f"+1202555{turn_from + i:04}"
            time.sleep(i % together * 0.7)
            reports[number] = stage.call("fact", "abc"[i % 3], number)
        threads = [threading.Thread(target=one, args=(n * together + i,)) for i in range(together)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    time.sleep(2)
    stage.watchers = []
    both = [(stage.record(ids[number]), report) for number, report in sorted(reports.items()) if number in ids]
    return [(record, report) for record, report in both if record], list(reports.values())


def curve(stage, cache, counts, rounds, begin):
    for together in counts:
        before, taken = used(stage.line_process.pid)[0], stolen()
        both, reports = place(stage, together, rounds if together == 1 else 1, begin)
        begin += together * rounds
        cpu, memory = used(stage.line_process.pid)
        ours = [g for record, _ in both for g in gaps(record)]
        if not ours:
            sys.exit(f"no call was answered: {reports[:1]}; the line's log is {stage.dir / 'line.log'}")
        outside = [u["gap_ms"] for _, report in both for u in report.get("utterances", []) if u.get("gap_ms") is not None]
        stages = [t["stages_ms"] for record, _ in both for t in record["turns"] if t.get("gap_ms") is not None]
        middle = " / ".join(ms(share([x[k] for x in stages], 0.5)) for k in ("endpoint", "stt", "decide", "tts"))
        audio = [record["line"]["longest_sent_gap_ms"] for record, _ in both if record.get("line")]
        print(f"| {together} | {cache} | {len(both)} of {len(reports)} | {ms(share(ours, .5))} | {ms(share(ours, .95))} | {max(ours)} | "
              f"{ms(share(outside, .5))} / {ms(share(outside, .95))} | {middle} | {max(audio) if audio else '-'} | "
              f"{(cpu - before) / max(1, len(both)):.1f} s | {memory:.0f} MB | {stolen() - taken:.1f} s |", flush=True)
    return begin


def sounds(folder):
    """What is laid over the line's voice and is no interruption: a cough, a knock, hold music, a long hiss. 16 kHz WAV files."""
    chance, rate = random.Random(7), 16000

    def write(name, samples):
        path = folder / f"{name}.wav"
        with wave.open(str(path), "wb") as w:
            w.setnchannels(1)
            w.setsampwidth(2)
            w.setframerate(rate)
            w.writeframes(struct.pack(f"<{len(samples)}h", *(max(-32000, min(32000, int(s))) for s in samples)))
        return path

    def cough():
        out, low = [], 0.0
        for burst, length in ((9000, 0.09), (5000, 0.16)):
            for n in range(int(length * rate)):
                low += 0.35 * (chance.gauss(0, burst) - low)
                out.append(low * math.exp(-5 * n / (length * rate)) * 2)
            out += [0] * int(0.03 * rate)
        return out

    def music():
        out = []
        for n in range(int(3 * rate)):
            beat = n // (rate // 3)
            chord = (262, 330, 392) if beat // 4 % 2 == 0 else (220, 262, 330)
            fade = math.exp(-2.0 * (n % (rate // 3)) / (rate // 3))
            out.append(sum(1800 * math.sin(2 * math.pi * f * n / rate) for f in chord) * fade)
        return out

    return {
        "cough": write("cough", cough()),
        "knock": write("knock", [chance.gauss(0, 12000) * math.exp(-n / 120) for n in range(int(0.1 * rate))]),
        "hold music": write("music", music()),
        "hiss": write("hiss", [chance.gauss(0, 700) for _ in range(2 * rate)]),
    }


# Silence later than this after a sound is not because of it: the reply was over.
FALLS_SILENT_MS = 2_000


def overlap(stage, rounds, more):
    """Sounds over the line's voice: what an interruption takes to silence it, and whether anything else is gone on after."""
    question = ["--say", str(CALLERS / "fact-a-1.wav")]
    kinds = {name: ["--say", str(path)] for name, path in sounds(stage.dir).items()}
    kinds["mm-hm"] = ["--say", "mm-hm"]
    for path in more:
        kinds[pathlib.Path(path).stem] = ["--say", path]
    print("\n| over our voice | trials | silence after, median / p95 / worst | went on | within 700 ms of falling silent |\n|---|---|---|---|---|")
    words = [["--say", str(CALLERS / f"person-{v}-2.wav")] for v in "abc"]
    stopped = []
    for n in range(rounds):
        report = stage.call("over", "a", f"+1202777{n:04}", say=[*question, "--barge", str(1100 + 130 * n), *words[n % 3]])
        stopped += [u["stopped_ms"] for u in report.get("utterances", [])[1:2] if u.get("stopped_ms") is not None and u["stopped_ms"] < FALLS_SILENT_MS]
    print(f"| an interruption | {rounds} | {ms(share(stopped, .5))} / {ms(share(stopped, .95))} / {ms(max(stopped, default=None))} ms | {rounds - len(stopped)} never stopped | |", flush=True)
    for k, (name, say) in enumerate([*kinds.items(), ("echo at -20 dB", None)]):
        silent, soon, cut, trials = [], 0, 0, 0
        for n in range(max(1, rounds // 3)):
            number = f"+1202778{k:02}{n:02}"
            over = ["--barge", str(900 + 170 * n), *say] if say else ["--echo", "20"]
            ids = []
            stage.watchers = [lambda e, number=number, ids=ids: ids.append(e["call"]) if e.get("event") == "answered" and e.get("from") == number else None]
            report = stage.call("over", "a", number, say=[*question, *over])
            stage.watchers = []
            record = stage.record(ids[0]) if ids else None
            if not record:
                continue
            trials += 1
            cut += any(t["interrupted"] for t in record["turns"])
            again = [(u.get("stopped_ms"), u.get("again_ms")) for u in report.get("utterances", [])[1:2]]
            if not say or not again or again[0][0] is None or again[0][0] > FALLS_SILENT_MS:
                soon += 1  # never fell silent before all was said
            else:
                silent.append(again[0][0])
                soon += again[0][1] is not None and again[0][1] <= 700
        print(f"| {name} | {trials} | {ms(share(silent, .5))} / {ms(share(silent, .95))} / {ms(max(silent, default=None))} ms | {trials - cut} of {trials} | {soon} of {trials} |", flush=True)


def bench(args):
    cache = pathlib.Path(tempfile.mkdtemp(prefix="firstline-cache-"))
    begin, head = 0, ("| calls at once | clauses | answered | gap median | p95 | worst | heard outside, median / p95 | endpoint / stt / decide / tts | "
                      "worst audio gap sent | CPU a call | memory | CPU taken by the host |\n|---|---|---|---|---|---|---|---|---|---|---|---|")
    print(f"{machine()}; times in milliseconds\n\n{head}", flush=True)
    counts = args.calls or [1, 2, 4, 8, 16, 24]
    for kind in ("cold", "warm"):
        if kind in args.only or not args.only:
            # Cold: a line that has never said anything. Warm: it has had a minute to itself.
            stage = Stage(args.bin, None, cache=cache if kind == "cold" else None)
            try:
                stage.line()
                begin = curve(stage, kind, counts if kind == "warm" else counts[:1], args.single, begin)
            finally:
                stage.stop()
    if "over" in args.only or not args.only:
        stage = Stage(args.bin, None)
        try:
            stage.line()
            overlap(stage, args.trials, args.over)
        finally:
            stage.stop()
    shutil.rmtree(cache, ignore_errors=True)
    return 0


def main():
    parser = argparse.ArgumentParser(prog="calls")
    kinds = parser.add_subparsers(dest="kind", required=True)
    d = kinds.add_parser("demo")
    d.add_argument("--voices", choices=["a", "b", "c"], default="a")
    d.add_argument("--only", choices=list(CALLS), action="append")
    d.add_argument("--keep", action="store_true")
    d.add_argument("--lanes", type=int, default=3)
    b = kinds.add_parser("bench")
    b.add_argument("--single", type=int, default=3, help="single calls")
    b.add_argument("--calls", type=int, nargs="*", help="how many at once, one after the other")
    b.add_argument("--only", choices=["cold", "warm", "over"], nargs="*", default=[])
    b.add_argument("--trials", type=int, default=9, help="interruptions; a third as many of each other sound")
    b.add_argument("--over", nargs="*", default=[], metavar="FILE.wav", help="more sounds that are no interruption")
    for p in (d, b):
        p.add_argument("--bin", required=True, help="folder of the built programs")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    code = demo(args) if args.kind == "demo" else bench(args)
    sys.exit(min(code, 130) if code == 130 else int(code > 0))


if __name__ == "__main__":
    main()
