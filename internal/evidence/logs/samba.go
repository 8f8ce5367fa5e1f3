package logs

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"rollcall/internal/evidence/event"
)

// A domain controller of Samba's with auth_json_audit
// (https://wiki.samba.org/index.php/Setting_up_Audit_Logging): one object a
// line, behind whatever else a log has on it. The workstation of a simple bind
// is the domain controller itself and says nothing of the client; of another
// login it is what the client says.
type samba struct {
	o Options
	// accounts are those that SIDs were let in as: changes name SIDs alone.
	accounts *simplelru.LRU[string, string]
}

func newSamba(o Options) Parser {
	p := &samba{o: o}
	p.accounts, _ = simplelru.NewLRU[string, string](maxConns, nil)
	return p
}

type sambaLine struct {
	Timestamp      string
	Type           string
	PasswordChange *sambaChange
	GroupChange    *sambaChange
	DSDBChange     *sambaEntry `json:"dsdbChange"`
	Authorization  *struct {
		RemoteAddress string
		AuthType      string `json:"authType"`
		Domain        string
		Account       string
		SID           string `json:"sid"`
	}
	Authentication *struct {
		Status        string
		RemoteAddress string
		Description   string `json:"authDescription"`
		ClientAccount string
		ClientDomain  string
		BecameAccount string
		BecameDomain  string
		BecameSID     string `json:"becameSid"`
		MappedAccount string
		MappedDomain  string
		Workstation   string
	}
}

type sambaChange struct {
	Status        string
	RemoteAddress string
	UserSID       string `json:"userSid"`
	Action        string
	DN            string `json:"dn"`
	Group         string
	User          string
}

// sambaEntry is a change of an entry (dsdb_json_audit). Passwords stand
// redacted in it, and they and groups have lines of their own.
type sambaEntry struct {
	Status            string
	RemoteAddress     string
	UserSID           string `json:"userSid"`
	Operation         string
	PerformedAsSystem bool
	DN                string `json:"dn"`
	Attributes        map[string]struct {
		Actions []struct {
			Action string
			Values []struct{ Value string }
		}
	}
}

var sambaStart = []byte(`{"timestamp": "`)

// sambaTypes are all that its audit classes write.
var sambaTypes = map[string]bool{"Authentication": true, "Authorization": true, "KDC Authorization": true, "passwordChange": true, "groupChange": true,
	"dsdbChange": true, "dsdbTransaction": true, "replicatedUpdate": true}

func isSamba(line []byte) bool {
	_, at := readSamba(line)
	return !at.IsZero()
}

func readSamba(line []byte) (l sambaLine, at time.Time) {
	i := bytes.Index(line, sambaStart)
	if i < 0 || json.Unmarshal(line[i:], &l) != nil || !sambaTypes[l.Type] {
		return l, at
	}
	at, err := time.Parse("2006-01-02T15:04:05.999999-0700", l.Timestamp)
	if err != nil {
		return l, time.Time{}
	}
	return l, at
}

func (p *samba) Line(line []byte, place event.Place) (Verdict, time.Time, error) {
	l, at := readSamba(line)
	switch {
	case !at.IsZero():
	case bytes.Contains(line, sambaStart) || bytes.HasPrefix(line, []byte("{")):
		return Unreadable, at, nil
	default:
		return Foreign, at, nil // what else Samba says
	}
	switch {
	case l.Type == "Authentication" && l.Authentication != nil:
		p.login(&l, at, place)
	case l.Type == "Authorization" && l.Authorization != nil:
		p.session(&l, at, place)
	case l.Type == "passwordChange" && l.PasswordChange != nil:
		p.change(l.PasswordChange, at, place)
	case l.Type == "groupChange" && l.GroupChange != nil:
		p.change(l.GroupChange, at, place)
	case l.Type == "dsdbChange" && l.DSDBChange != nil:
		p.entry(l.DSDBChange, at, place)
	}
	return Read, at, nil
}

func (p *samba) login(l *sambaLine, at time.Time, place event.Place) {
	const anonymous = "S-1-5-7"
	a := l.Authentication
	e := event.Event{Place: place, At: at, Form: event.Login, Login: true, Method: strings.NewReplacer(" ", "-", "/", "-").Replace(a.Description), Code: a.Status}
	e.Address, e.Port = sambaAddress(a.RemoteAddress)
	e.Outcome = ntOutcome(a.Status)
	if !strings.HasPrefix(a.Description, "simple bind") { // of which it is the controller itself
		e.Client, e.NameSaid = cutName(a.Workstation), true
	}
	switch {
	case a.BecameSID == anonymous || a.ClientAccount == "" && a.MappedAccount == "":
		return // nobody's credential
	case isDN(a.ClientAccount):
		e.Form, e.Account = event.DN, a.ClientAccount
	case a.BecameAccount != "":
		e.Account = inDomain(a.BecameDomain, a.BecameAccount)
	case a.MappedAccount != "":
		e.Account = inDomain(a.MappedDomain, a.MappedAccount)
	case strings.ContainsAny(a.ClientAccount, `\@`):
		e.Account = a.ClientAccount
	default:
		e.Account = inDomain(a.ClientDomain, a.ClientAccount)
	}
	if len(e.Account) > maxName {
		e.Account = e.Account[:maxName]
	}
	if e.Outcome == event.Accepted && a.BecameSID != "" && a.BecameAccount != "" {
		p.accounts.Add(a.BecameSID, inDomain(a.BecameDomain, a.BecameAccount))
	}
	if !e.Address.IsValid() {
		p.o.Note(event.NoAddress, place, "")
	}
	p.o.Event(e)
}

// session is a ticket that is used, which may come of another controller: of
// each other login there is an Authentication line before.
func (p *samba) session(l *sambaLine, at time.Time, place event.Place) {
	a := l.Authorization
	if a.AuthType != "krb5" || a.Account == "" || a.SID == "S-1-5-7" || a.SID == "S-1-5-18" {
		return
	}
	e := event.Event{Place: place, At: at, Form: event.Login, Method: "session", Outcome: event.Accepted, Account: cutName(inDomain(a.Domain, a.Account))}
	e.Address, e.Port = sambaAddress(a.RemoteAddress)
	if a.SID != "" {
		p.accounts.Add(a.SID, inDomain(a.Domain, a.Account))
	}
	p.o.Event(e)
}

// change is one of a password or of a group. Who made it is a SID, which a
// login before it names.
func (p *samba) change(c *sambaChange, at time.Time, place event.Place) {
	e := event.Event{Place: place, At: at, Form: event.Login, Target: c.DN, Outcome: event.Accepted}
	switch c.Action {
	case "Reset":
		e.Change = event.Reset
	case "Change":
		e.Change = event.OwnChange
	case "Added":
		if strings.EqualFold(c.Group, c.User) {
			return // how 4.17 writes the primary group of an account that is made
		}
		e.Change, e.Target, e.Group = event.NewMember, c.User, c.Group
	default:
		return
	}
	p.by(e, c.Status, c.RemoteAddress, c.UserSID)
}

// by hands on a change, with who made it from where and how it ended.
func (p *samba) by(e event.Event, status, address, sid string) {
	if status != "Success" {
		e.Outcome, e.Code = event.Failed, status
	}
	e.Address, e.Port = sambaAddress(address)
	var known bool
	if e.Account, known = p.accounts.Get(sid); !known {
		p.o.Note(event.ByUnknown, e.Place, "")
	}
	e.Target, e.Group = cutName(e.Target), cutName(e.Group)
	p.o.Event(e)
}

// entry is a change of an entry: that it was made or removed, and of what
// decides who is let in.
func (p *samba) entry(c *sambaEntry, at time.Time, place event.Place) {
	if c.PerformedAsSystem {
		return // Samba's own
	}
	var what []event.Change
	switch c.Operation {
	case "Add":
		what = append(what, event.Made)
	case "Delete":
		what = append(what, event.Removed)
	}
	for name, attribute := range c.Attributes {
		for _, a := range attribute.Actions {
			change := ofAttribute(name)
			switch {
			case a.Action == "delete":
			case change == event.NewKey && len(a.Values) > 0:
				what = append(what, change)
			case c.Operation == "Modify" && strings.EqualFold(name, "userAccountControl") && len(a.Values) == 1:
				what = append(what, accountControl(a.Values[0].Value))
			}
		}
	}
	slices.Sort(what)
	for _, change := range slices.Compact(what) {
		p.by(event.Event{Place: place, At: at, Form: event.Login, Target: c.DN, Outcome: event.Accepted, Change: change}, c.Status, c.RemoteAddress, c.UserSID)
	}
}

// accountControl is what a value of userAccountControl says: ACCOUNTDISABLE is
// its second bit ([MS-ADTS] 2.2.16).
func accountControl(value string) event.Change {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		return event.Modified
	case n&2 != 0:
		return event.Disabled
	}
	return event.Enabled
}

func cutName(name string) string {
	if len(name) > maxName {
		return name[:maxName]
	}
	return name
}

// isDN reports whether a name was typed as that of an entry.
func isDN(name string) bool {
	attribute, rest, ok := strings.Cut(name, "=")
	return ok && attribute != "" && !strings.ContainsAny(attribute, `\@ `) && strings.Contains(rest, ",")
}

func inDomain(domain, name string) string {
	if domain == "" {
		return name
	}
	return domain + `\` + name
}

// sambaAddress reads ipv4:192.0.2.1:5 and ipv6:2001:db8::1:5. A socket of the
// machine has none.
func sambaAddress(text string) (netip.Addr, uint16) {
	_, text, _ = strings.Cut(text, ":")
	i := strings.LastIndex(text, ":")
	if i < 0 {
		return netip.Addr{}, 0
	}
	return address(text[:i]), port(text[i+1:])
}

// ntOutcome reads the name of a status of Windows ([MS-ERREF] 2.3.1); see
// winStatus.
func ntOutcome(status string) event.Outcome {
	switch strings.TrimPrefix(status, "NT_STATUS_") {
	case "OK":
		return event.Accepted
	case "WRONG_PASSWORD", "NO_SUCH_USER", "LOGON_FAILURE":
		return event.Refused
	case "ACCOUNT_LOCKED_OUT":
		return event.Locked
	case "PASSWORD_EXPIRED", "PASSWORD_MUST_CHANGE", "ACCOUNT_DISABLED", "ACCOUNT_EXPIRED", "ACCOUNT_RESTRICTION", "INVALID_LOGON_HOURS", "INVALID_WORKSTATION":
		return event.Barred
	}
	return event.Failed
}

func (p *samba) Server() string { return "" }

// Close ends it.
func (p *samba) Close() {}
