package workflows

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-ldap/ldap/v3"
	enumspb "go.temporal.io/api/enums/v1"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/mail"
	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/people"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
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
	back     *lab.Balancer // another service of the first machine
}

func (o *office) close(ctx context.Context) {
	for _, m := range o.machines {
		_ = m.Stop(ctx)
	}
	o.front.Close()
	o.back.Close()
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
	if o.back, err = lab.StartBalancer("127.0.0.1:0"); err != nil {
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
	if s.twoDoors, err = s.withSecondDoor(o, cfg); err != nil {
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
	return s.alices(ctx, "the second of the nas")
}

// alices is what she sets, writes down and says.
func (s *stage) alices(ctx context.Context, next string) error {
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

// withSecondDoor has alice's task proved at two doors, each of one machine.
func (s *stage) withSecondDoor(o *office, cfg config.Campaign) ([]byte, error) {
	first, second := s.door(o.front.Addr()), s.door(o.back.Addr())
	second.Type = "pop3s"
	first.For, second.For = nil, nil
	first.Machines, second.Machines = 1, 1
	cfg.Doors = map[string]door.Settings{"pool": first, "second": second}
	for i, src := range cfg.Sources {
		if src.File == "tasks.yaml" {
			cfg.Sources[i].Content = bytes.Replace(src.Content, []byte("doors: pool}"), []byte("doors: pool; second}"), 1)
		}
	}
	return json.Marshal(&cfg)
}

// gone is where nothing answers.
const gone = "127.0.0.1:1"

func bothDoorsAreDown(_ context.Context, s *stage) error {
	s.office.front.Behind(gone)
	s.office.back.Behind(gone)
	return nil
}

// firstDoorIsDown has the other one answer.
func firstDoorIsDown(_ context.Context, s *stage) error {
	s.office.front.Behind(gone)
	s.office.back.Behind(s.office.machines[0].Address("pop3s"))
	return nil
}

func bothDoorsAreUp(_ context.Context, s *stage) error {
	s.office.front.Behind(s.office.machines[0].Address("imaps"))
	s.office.back.Behind(s.office.machines[0].Address("pop3s"))
	return nil
}

func nasIsChangedOnceMore(ctx context.Context, s *stage) error {
	return s.alices(ctx, "the fourth of the nas")
}

// nasIsChangedBehindTwoDoors is what alice does while both are down: then the
// first one is up, and then both are.
func nasIsChangedBehindTwoDoors(ctx context.Context, s *stage) error {
	if err := s.alices(ctx, "the third of the nas"); err != nil {
		return err
	}
	if err := s.recorded(ctx, 1); err != nil {
		return err
	}
	s.office.front.Behind(s.office.machines[0].Address("imaps"))
	if err := s.recorded(ctx, 2); err != nil {
		return err
	}
	s.office.back.Behind(s.office.machines[0].Address("pop3s"))
	return nil
}

// nasHasWrongLoginsBehindAnOpenDoor is what alice does while the first is down.
// The operator aborts the campaign then.
func nasHasWrongLoginsBehindAnOpenDoor(ctx context.Context, s *stage) error {
	return errors.Join(s.alices(ctx, "the fifth of the nas"), s.recorded(ctx, 1), s.tell(ctx, UpdateAbort, operator))
}

// recorded waits until it was recorded so often what doors showed.
func (s *stage) recorded(ctx context.Context, times int) error {
	for told := 0; told < times; {
		told = 0
		h := s.GetWorkflowHistory(ctx, TasksID(fmt.Sprintf("%s-%d", estate.Device, s.n)), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for h.HasNext() {
			e, err := h.Next()
			if err != nil {
				return err
			}
			if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == wire.DoRecordTaskDoors {
				told++
			}
		}
	}
	return nil
}
