"""gateway explain: what a configuration does with a request, told by the engine that would serve it.

The configuration is loaded as for `-t`, a worker serves one request over a socket pair in this process, and each step
of its plan is told as it is taken (steps.py, script.py). What would go to an upstream goes to a witness in this process
instead (witness.py), which shows what arrived. So nothing leaves this machine, no log is written, and nothing can be
said that gateway would not do.
"""
