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
