package workflows

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/mail"
	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/people"
	"rollcall/internal/protocol"
)

// The door of recorded campaigns: two machines behind one address, each of
// which keeps logins for a while, so that a stolen value is refused only when
// its time there is over.
const (
	doorKeeps   = 10 * time.Second
	doorAccount = "svc-esg-0001"
	nasAccount  = "nas-admin"
	nasPath     = "people/nas"
)

// office is that door.
type office struct {
	machines []*lab.Dovecot
	front    *lab.Balancer
}

func (o *office) close(ctx context.Context) {
	for _, m := range o.machines {
		_ = m.Stop(ctx)
	}
	o.front.Close()
}

// door is it at one of its addresses.
func (s *stage) door(address string) door.Settings {
	return door.Settings{
		Type: "imaps", Address: address, TLS: door.Implicit, CA: string(s.estate.CA.PEM), Login: "{account}", Timeout: time.Minute,
		Cache: doorKeeps, Software: "dovecot", For: []door.Match{{Directory: "corp", Account: doorAccount}},
	}
}

// openOffice starts the machines and names the door in what campaigns go by,
// with a task of alice's that it proves.
func (s *stage) openOffice(ctx context.Context, dir string) (*office, error) {
	o := &office{}
	var err error
	if o.front, err = lab.StartBalancer("127.0.0.1:0"); err != nil {
		return nil, err
	}
	var at []string
	for n := range 2 {
		below := filepath.Join(dir, fmt.Sprintf("dovecot-%d", n))
		if err := os.MkdirAll(below, 0o755); err != nil {
			return o, err
		}
		m, err := lab.StartDovecot(ctx, lab.DovecotOptions{Dir: below, CA: s.estate.CA, Directory: s.estate.Slapd, Cache: doorKeeps, AtOnce: true})
		if err != nil {
			return o, err
		}
		o.machines, at = append(o.machines, m), append(at, m.Address("imaps"))
	}
	o.front.Behind(at...)

	var cfg config.Campaign
	if err := json.Unmarshal(s.spec, &cfg); err != nil {
		return o, err
	}
	cfg.Doors = map[string]door.Settings{"pool": s.door(o.front.Addr())}
	if s.doors, err = json.Marshal(&cfg); err != nil {
		return o, err
	}
	cfg.Sources = append(cfg.Sources, config.Source{Name: "people", Type: config.Manifest, File: "tasks.yaml",
		Content: []byte("- {kind: local-account, name: nas, login: " + nasAccount + ", owner: people/alice, due: 9h, make: false, path: kv/" + nasPath + "#password, doors: pool}\n")})
	if s.doorTasks, err = json.Marshal(&cfg); err != nil {
		return o, err
	}
	admin, err := s.estate.Slapd.AdminConn(ctx)
	if err != nil {
		return o, err
	}
	defer admin.Close()
	add := ldap.NewAddRequest(s.estate.Slapd.AccountDN(nasAccount), nil)
	add.Attribute("objectClass", []string{"inetOrgPerson"})
	add.Attribute("cn", []string{nasAccount})
	add.Attribute("sn", []string{nasAccount})
	add.Attribute("userPassword", []string{"the first of the nas"})
	if err := admin.Add(add); err != nil {
		return o, err
	}
	return o, s.estate.Vault.SeedKV(ctx, map[string]map[string]any{nasPath: {"password": "the first of the nas"}})
}

// known has both machines keep a value that Vault holds.
func (s *stage) known(ctx context.Context, uid string, at credential.Path) error {
	got, err := s.estate.Vault.Client().KVv2(at.Mount).Get(ctx, at.Path)
	if err != nil {
		return err
	}
	value, _ := got.Data[at.Field].(string)
	for _, m := range s.office.machines {
		said := mail.OpenIMAP(s.door(m.Address("imaps"))).Ask(ctx, uid, credential.NewSecret(value))
		if said.Reply != protocol.Accepted {
			return fmt.Errorf("the door says %s to the value of %s that is in force", said.Reply, uid)
		}
	}
	return nil
}

// accountIsKnown has them keep the value of the account with a door.
func accountIsKnown(ctx context.Context, s *stage) error {
	return s.known(ctx, doorAccount, s.estate.Live[s.estate.ID(doorAccount)])
}

// nasIsChanged is what alice does: she sets another value, writes it down and
// says so, while both machines keep the old one.
func nasIsChanged(ctx context.Context, s *stage) error {
	if err := s.known(ctx, nasAccount, credential.Path{Mount: "kv", Path: nasPath, Field: "password"}); err != nil {
		return err
	}
	const next = "the second of the nas"
	admin, err := s.estate.Slapd.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer admin.Close()
	set := ldap.NewModifyRequest(s.estate.Slapd.AccountDN(nasAccount), nil)
	set.Replace("userPassword", []string{next})
	if err := admin.Modify(set); err != nil {
		return err
	}
	if err := s.estate.Vault.SeedKV(ctx, map[string]map[string]any{nasPath: {"password": next}}); err != nil {
		return err
	}
	alice, err := s.store.Person(ctx, "people/alice")
	if err != nil {
		return err
	}
	return s.say(ctx, alice.ID, credential.PersonAuthority+"/"+estate.Device+"/nas", people.Statement{Does: people.Done, End: "itself"})
}
