# The same as windows_iterparse.py, for exports with an event a line, by
# patterns instead of a parser: what stands escaped in a name stays so.
import re
import sys

number = re.compile(rb"<EventID[^>]*>(\d+)<")
created = re.compile(rb"SystemTime='([^']*)'")
data = re.compile(rb"<Data Name='(TargetUserName|TargetDomainName|IpAddress|Status)'>([^<]*)<")
wanted = {b"4624", b"4625", b"4768", b"4769", b"4771", b"4776", b"4740"}
seen = {}
with open(sys.argv[1], "rb", buffering=1 << 20) as log:
    for line in log:
        m = number.search(line)
        if not m or m[1] not in wanted:
            continue
        d = dict(data.findall(line))
        key = d.get(b"TargetDomainName", b"") + b"\\" + d.get(b"TargetUserName", b""), d.get(b"IpAddress", b""), m[1], d.get(b"Status", b"")
        at = created.search(line)[1]
        s = seen.get(key)
        if s is None:
            seen[key] = [1, at, at]
        else:
            s[0] += 1
            s[2] = at
for key, (n, first, last) in sorted(seen.items()):
    print(n, *(k.decode() for k in key), first.decode(), last.decode(), sep="\t")
