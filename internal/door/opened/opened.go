// Package opened opens doors by type, and lets each be asked by one at a time.
package opened

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/database"
	"rollcall/internal/door/ftp"
	"rollcall/internal/door/ldapbind"
	"rollcall/internal/door/mail"
	"rollcall/internal/door/mysql"
	"rollcall/internal/door/radius"
	"rollcall/internal/door/shell"
	"rollcall/internal/door/smb"
	"rollcall/internal/door/snmp"
	"rollcall/internal/door/web"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// types has one line for each type of door, but for those that share a secret
// with who asks them (sharing).
var types = map[string]func(door.Settings) door.Door{
	"imap":        func(s door.Settings) door.Door { return mail.OpenIMAP(s) },
	"imaps":       func(s door.Settings) door.Door { return mail.OpenIMAP(s) },
	"pop3":        func(s door.Settings) door.Door { return mail.OpenPOP3(s) },
	"pop3s":       func(s door.Settings) door.Door { return mail.OpenPOP3(s) },
	"submission":  func(s door.Settings) door.Door { return mail.OpenSMTP(s) },
	"smtps":       func(s door.Settings) door.Door { return mail.OpenSMTP(s) },
	"ldap":        func(s door.Settings) door.Door { return ldapbind.Open(s) },
	"ldaps":       func(s door.Settings) door.Door { return ldapbind.Open(s) },
	"https":       web.Open,
	"vault":       func(s door.Settings) door.Door { return web.OpenVault(s) },
	"http":        web.Open,
	"http-proxy":  func(s door.Settings) door.Door { return web.OpenProxy(s) },
	"https-proxy": func(s door.Settings) door.Door { return web.OpenProxy(s) },
	"ftp":         func(s door.Settings) door.Door { return ftp.Open(s) },
	"ftps":        func(s door.Settings) door.Door { return ftp.Open(s) },
	"postgres":    func(s door.Settings) door.Door { return database.OpenPostgres(s) },
	"smb":         func(s door.Settings) door.Door { return smb.Open(s) },
	"snmpv2c":     func(s door.Settings) door.Door { return snmp.OpenCommunity(s) },
	"ssh":         func(s door.Settings) door.Door { return shell.Open(s) },
}

// sharing has one line for each type of which a secret goes with the value that
// is not the door's own, or may.
var sharing = map[string]func(door.Settings, func(context.Context) (credential.Secret, error)) door.Door{
	"radius": func(s door.Settings, shared func(context.Context) (credential.Secret, error)) door.Door {
		return radius.Open(s, shared)
	},
	"mysql": func(s door.Settings, shared func(context.Context) (credential.Secret, error)) door.Door {
		return mysql.Open(s, shared)
	},
	"snmp": func(s door.Settings, shared func(context.Context) (credential.Secret, error)) door.Door {
		return snmp.Open(s, shared)
	},
}

// Doors are those that were opened, shared by all campaigns of a process. The
// zero value has none. Safe for concurrent use.
type Doors struct {
	// Read reads what a door and who asks it share. It is read for each login
	// anew, and kept nowhere.
	Read func(context.Context, credential.Path) (credential.Secret, error)

	open sync.Map // settings as JSON -> *Door
}

// Reading is a Read by whatever reads Vault.
func Reading(live func(ctx context.Context, p credential.Path, version int) (vault.Live, error)) func(context.Context, credential.Path) (credential.Secret, error) {
	return func(ctx context.Context, p credential.Path) (credential.Secret, error) {
		got, err := live(ctx, p, 0)
		if err == nil && !got.Found {
			err = errors.New("the secret that a door shares is not in Vault")
		}
		return got.Value, err
	}
}

// Open gives a door. It does no network I/O; the error means that the type is
// unknown to this build.
func (d *Doors) Open(s door.Settings) (*Door, error) {
	of, ok := types[s.Type]
	if with := sharing[s.Type]; with != nil {
		of, ok = func(s door.Settings) door.Door {
			return with(s, func(ctx context.Context) (credential.Secret, error) {
				if d.Read == nil {
					return credential.Secret{}, errors.New("nothing reads shared secrets here")
				}
				return d.Read(ctx, s.Secret)
			})
		}, true
	}
	if !ok {
		return nil, fmt.Errorf("this build knows no door of type %s; let a worker of the newer build take the campaign", s.Type)
	}
	s = s.Pinned()
	s.For = nil // whose it is makes no other door of it
	key, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	one, _ := d.open.LoadOrStore(string(key), &Door{Door: of(s)})
	return one.(*Door), nil
}

// Door is one that is asked by one at a time.
type Door struct {
	door.Door
	// Turn is held for as long as one account is asked about.
	Turn sync.Mutex

	looks sync.Map // of Once, to what the door said
}

// Once gives what look came to for somebody, and makes it for him the first
// time alone; each time for nobody (""). A door that gave no answer is looked
// at anew. Another process knows nothing of it.
func (d *Door) Once(by string, look func() (door.Said, error)) (door.Said, error) {
	if said, is := d.looks.Load(by); is && by != "" {
		return said.(door.Said), nil
	}
	said, err := look()
	if err == nil && (said.Reply != protocol.Unreachable || said.Fault != "") {
		d.looks.Store(by, said)
	}
	return said, err
}
