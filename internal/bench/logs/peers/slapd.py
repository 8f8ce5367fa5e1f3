# Who logged in from where, and how that ended, of a log of slapd: a line for
# each account, address and code, with how often, first and last.
import re
import sys

accept = re.compile(rb"conn=(\d+) fd=\d+ ACCEPT from IP=(\S+):\d+ ")
bind = re.compile(rb'conn=(\d+) op=(\d+) BIND dn="([^"]*)" method=')
result = re.compile(rb"conn=(\d+) op=(\d+) RESULT tag=97 err=(\d+)")

address, waits, seen = {}, {}, {}
with open(sys.argv[1], "rb", buffering=1 << 20) as log:
    for line in log:
        if b" ACCEPT " in line:
            m = accept.search(line)
            if m:
                address[m[1]] = m[2]
        elif b" BIND dn=" in line:
            m = bind.search(line)
            if m:
                waits[m[1], m[2]] = m[3]
        elif b" tag=97 " in line:
            m = result.search(line)
            dn = waits.pop((m[1], m[2]), None) if m else None
            if dn:
                key = dn, address.get(m[1]), m[3]
                at = line[: line.index(b" ")]
                s = seen.get(key)
                if s is None:
                    seen[key] = [1, at, at]
                else:
                    s[0] += 1
                    s[2] = at
        elif line.endswith(b" closed\n"):
            m = line.split(b"conn=", 1)[1].split(b" ", 1)[0]
            address.pop(m, None)
for (dn, ip, err), (n, first, last) in sorted(seen.items(), key=lambda s: (s[0][0], s[0][1] or b"", s[0][2])):
    print(n, dn.decode(), ip and ip.decode(), err.decode(), first.decode(), last.decode(), sep="\t")
