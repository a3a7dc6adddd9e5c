"""The command line: nginx's options and gateway's own verbs."""
