# Who logged on from where, and how that ended, of events of Windows as XML: a
# line for each account, address, event and code, with how often, first, last.
import io
import sys
import xml.etree.ElementTree as ET

ns = "{http://schemas.microsoft.com/win/2004/08/events/event}"
wanted = {"4624", "4625", "4768", "4769", "4771", "4776", "4740"}


class Rooted(io.RawIOBase):
    """The file with a root around its events, which wevtutil leaves out."""

    def __init__(self, f):
        self.parts = [io.BytesIO(b"<Events>"), f, io.BytesIO(b"</Events>")]

    def readable(self):
        return True

    def readinto(self, b):
        while self.parts:
            n = self.parts[0].readinto(b)
            if n:
                return n
            self.parts.pop(0)
        return 0


seen = {}
with open(sys.argv[1], "rb") as f:
    events = ET.iterparse(io.BufferedReader(Rooted(f), 1 << 20), events=("start", "end"))
    _, root = next(events)
    for what, e in events:
        if what != "end" or e.tag != ns + "Event":
            continue
        system = e.find(ns + "System")
        number = system.find(ns + "EventID").text
        if number in wanted:
            at = system.find(ns + "TimeCreated").get("SystemTime")
            data = {d.get("Name"): d.text for d in e.find(ns + "EventData")}
            account = (data.get("TargetDomainName") or "") + "\\" + (data.get("TargetUserName") or "")
            key = account, data.get("IpAddress") or "", number, data.get("Status") or ""
            s = seen.get(key)
            if s is None:
                seen[key] = [1, at, at]
            else:
                s[0] += 1
                s[2] = at
        root.clear()
for key, (n, first, last) in sorted(seen.items()):
    print(n, *key, first, last, sep="\t")
