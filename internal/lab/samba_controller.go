package lab

import (
	"context"
	"fmt"
)

// addController writes what the join of another domain controller leaves in the
// configuration partition ([MS-ADTS] 6.1.1.2.2.1): its server object and its
// settings. It goes to the database itself, because the directory lets no
// client write these.
const addController = `
import sys, uuid
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
conf, url, host, domain = sys.argv[1:]
lp = LoadParm()
lp.load(conf)
db = SamDB(url=url, session_info=system_session(), lp=lp)
name = host.split(".")[0].upper()
server = "CN=" + name + ",CN=Servers,CN=Default-First-Site-Name,CN=Sites," + str(db.get_config_basedn())
db.add({"dn": server, "objectClass": "server", "dNSHostName": host}, ["relax:0"])
db.add({"dn": "CN=NTDS Settings," + server, "objectClass": "nTDSDSA", "dMDLocation": str(db.get_schema_basedn()),
        "msDS-Behavior-Version": "4", "hasMasterNCs": [domain, str(db.get_config_basedn()), str(db.get_schema_basedn())],
        "options": "1", "invocationId": str(uuid.uuid4())}, ["relax:0"])
`

// AddController makes the domain believe in another domain controller, which
// was joined once and is gone.
func (s *Samba) AddController(ctx context.Context, host string) error {
	out, err := s.machine.run(ctx, "/usr/bin/python3", "-c", addController, sambaConfig, mountPoint+"/private/sam.ldb", host, sambaBase)
	if err != nil {
		return fmt.Errorf("lab: add the domain controller %s: %w\n%s", host, err, out)
	}
	return nil
}

// addDomain writes what the making of a domain below this one leaves in the
// configuration partition ([MS-ADTS] 6.1.1.2.1.1): a crossRef object with the
// flags of a domain. The server holds nothing of that domain itself, so it is
// told not to look for it (its control for dbcheck).
const addDomain = `
import sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
conf, url, name, domain = sys.argv[1:]
lp = LoadParm()
lp.load(conf)
db = SamDB(url=url, session_info=system_session(), lp=lp)
dns = domain.replace("DC=", "").replace(",", ".").lower()
db.add({"dn": "CN=" + name.upper() + ",CN=Partitions," + str(db.get_config_basedn()), "objectClass": "crossRef",
        "nCName": "DC=" + name + "," + domain, "dnsRoot": name + "." + dns, "nETBIOSName": name.upper(), "systemFlags": "3"},
       ["relax:0", "local_oid:1.3.6.1.4.1.7165.4.3.19:0"])
`

// AddDomain makes the forest believe in a domain below this one.
func (s *Samba) AddDomain(ctx context.Context, name string) error {
	out, err := s.machine.run(ctx, "/usr/bin/python3", "-c", addDomain, sambaConfig, mountPoint+"/private/sam.ldb", name, sambaBase)
	if err != nil {
		return fmt.Errorf("lab: add the domain %s: %w\n%s", name, err, out)
	}
	return nil
}
