"""gateway check: what `-t` accepts and what will still hurt.

A rule (rule.py) looks at the blocks of a configuration that loads (block.py) and names problems; where there is a safe
way out it brings an edit (edits.py), which is shown as a diff and made with --fix. The rules stand by subject in the
files beside this one; command.py runs them.

Which rule finds what gixy, semgrep's rules, and other collections find, and what is left out with which reason:
tests/data/check/others.toml, docs/rules/others.md.
"""
