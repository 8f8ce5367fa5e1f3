# Who logged in from where, and how that ended, of a web syslog: a line for
# each account, address and outcome, with how often, first and last.
import re
import sys

login = re.compile(rb"(\S+) \S+ web: \[([^]]*)\] (LOGIN|FAILED_LOGIN) \(([^)]*)\)\n")

seen = {}
with open(sys.argv[1], "rb", buffering=1 << 20) as log:
    for line in log:
        m = login.fullmatch(line)
        if m:
            at, ip, outcome, name = m.groups()
            s = seen.get((name, ip, outcome))
            if s is None:
                seen[name, ip, outcome] = [1, at, at]
            else:
                s[0] += 1
                s[2] = at
for (name, ip, outcome), (n, first, last) in sorted(seen.items()):
    print(n, name.decode(), ip.decode(), outcome.decode(), first.decode(), last.decode(), sep="\t")
