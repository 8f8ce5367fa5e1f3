package logs

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"rollcall/internal/evidence/event"
)

// An audit device of Vault (https://developer.hashicorp.com/vault/docs/audit).
//
// Success is a token in auth, never an empty error: a refused login of an
// unknown user has neither. A service token has two hashes, that of what the
// client has and that of what is inside: a revoked token shows the second
// alone, so that pairs are remembered. Enabling the device anew changes every
// hash.
type vaultAudit struct {
	o        Options
	waiting  *simplelru.LRU[string, event.Event] // requests, by their id
	outer    *simplelru.LRU[string, string]      // a token's inner hash → that of the token
	accounts *simplelru.LRU[string, string]      // a token's hash → whose login made it
	mounts   *simplelru.LRU[string, []string]    // those whose logins were met, by what a display name has of them
	lines    int
	removing bool
}

const maxTokens, maxMounts = 100_000, 10_000

func newVaultAudit(o Options) Parser {
	p := &vaultAudit{o: o}
	p.waiting, _ = simplelru.NewLRU(10_000, func(_ string, e event.Event) { p.unanswered(e) })
	p.mounts, _ = simplelru.NewLRU[string, []string](maxMounts, nil)
	p.forget()
	return p
}

func (p *vaultAudit) forget() {
	p.outer, _ = simplelru.NewLRU[string, string](maxTokens, nil)
	p.accounts, _ = simplelru.NewLRU[string, string](maxTokens, nil)
}

type vaultLine struct {
	Time    string `json:"time"`
	Type    string `json:"type"`
	Error   string `json:"error"`
	Auth    *vaultAuth
	Request *struct {
		ID            string `json:"id"`
		Operation     string `json:"operation"`
		ClientToken   string `json:"client_token"`
		Path          string `json:"path"`
		MountPoint    string `json:"mount_point"`
		MountType     string `json:"mount_type"`
		RemoteAddress string `json:"remote_address"`
		RemotePort    uint16 `json:"remote_port"`
		Namespace     struct {
			Path string `json:"path"`
		} `json:"namespace"`
		Data map[string]json.RawMessage `json:"data"`
	} `json:"request"`
	Response *struct {
		Auth *vaultAuth `json:"auth"`
	} `json:"response"`
}

// vaultAuth of an answer is there without a token where a second factor is to
// come, and is not there where a login was refused.
type vaultAuth struct {
	ClientToken string            `json:"client_token"`
	DisplayName string            `json:"display_name"`
	Metadata    map[string]string `json:"metadata"`
}

func isVaultAudit(line []byte) bool {
	if !bytes.Contains(line, []byte(`"request"`)) {
		return false
	}
	l, at := readVault(line)
	return !at.IsZero() && (l.Type == "request" || l.Type == "response")
}

// longestPrefix may stand before an object.
const longestPrefix = 256

func readVault(line []byte) (l vaultLine, at time.Time) {
	if i := bytes.IndexByte(line, '{'); i > 0 && i < longestPrefix { // of syslog, or the device's own
		line = line[i:]
	}
	if json.Unmarshal(line, &l) != nil || l.Request == nil || l.Request.Path == "" {
		return l, at
	}
	at, err := time.Parse(time.RFC3339Nano, l.Time)
	if err != nil {
		return l, time.Time{}
	}
	return l, at
}

func (p *vaultAudit) Line(line []byte, place event.Place) (Verdict, time.Time, error) {
	l, at := readVault(line)
	if at.IsZero() {
		return Unreadable, at, nil
	}
	p.lines++
	if l.Request.Path == "sys/audit/test" && l.Request.RemoteAddress == "" {
		if p.lines > 1 {
			p.o.Note(event.SaltChanged, place, "")
			p.forget()
		}
		return Read, at, nil
	}
	if l.inTheClear() {
		p.o.Note(event.ValuesClear, place, "")
	}
	e := p.event(&l, at, place)
	switch l.Type {
	case "request":
		if l.Request.ID != "" { // Vault's own have none, and no answer
			p.waiting.Add(l.Request.ID, e)
		}
	case "response":
		p.removing = true // and not let go
		p.waiting.Remove(l.Request.ID)
		p.removing = false
		p.answered(&l, e)
	default:
		return Unreadable, at, nil
	}
	return Read, at, nil
}

// event is what both lines of a request have.
func (p *vaultAudit) event(l *vaultLine, at time.Time, place event.Place) event.Event {
	r := l.Request
	e := event.Event{Place: place, At: at, Form: event.VaultLogin, Port: r.RemotePort, Method: r.MountType, Outcome: event.Unknown}
	if a, err := netip.ParseAddr(r.RemoteAddress); err == nil {
		e.Address = a.Unmap().WithZone("")
	}
	if r.Path == secondFactor {
		e.Login, e.Method = true, "mfa"
		return e
	}
	mount, name, isLogin := vaultLogin(r.Path, r.MountPoint)
	if isLogin {
		e.Login = true
		if name == "" && l.Auth != nil {
			for _, key := range []string{"role_name", "role", "username"} {
				if name = l.Auth.Metadata[key]; name != "" {
					break
				}
			}
		}
		if name != "" {
			e.Account = r.Namespace.Path + mount + "/" + name
		}
		if r.MountPoint != "" { // else there may be none: a stranger asks at any path
			p.met(r.Namespace.Path, mount)
		}
		for _, key := range valueKeys {
			e.Hashes = appendHash(e.Hashes, r.Data[key])
		}
		return e
	}
	e.Method = "token"
	return e
}

// secondFactor is where a login goes on that needs a second factor
// (https://developer.hashicorp.com/vault/docs/auth/login-mfa). The audit device
// does not write which login that was in a way that could be joined, but whose
// token came of it.
const secondFactor = "sys/mfa/validate"

// hashed begins what Vault made of a secret. A device with log_raw writes the
// secret itself, which goes nowhere from here.
const hashed = "hmac-sha256:"

func appendHash(to []string, raw json.RawMessage) []string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil || !strings.HasPrefix(s, hashed) {
		return to
	}
	return append(to, s)
}

// valueKeys are what a login shows, as Vault's methods call it.
var valueKeys = []string{"password", "secret_id", "role_id", "token", "jwt"}

// inTheClear reports whether a line has a secret as it is: a device with
// log_raw writes each so, and one with keys that are left out of hashing those.
func (l *vaultLine) inTheClear() bool {
	clear := func(s string) bool { return s != "" && !strings.HasPrefix(s, hashed) }
	if clear(l.Request.ClientToken) || l.Auth != nil && clear(l.Auth.ClientToken) || l.Response != nil && l.Response.Auth != nil && clear(l.Response.Auth.ClientToken) {
		return true
	}
	if _, _, isLogin := vaultLogin(l.Request.Path, l.Request.MountPoint); !isLogin {
		return false
	}
	return slices.ContainsFunc(valueKeys, func(key string) bool {
		var s string
		raw := l.Request.Data[key]
		return len(raw) > 0 && json.Unmarshal(raw, &s) == nil && clear(s)
	})
}

// vaultLogin takes auth/MOUNT/login/NAME apart. NAME may be empty: an AppRole
// is named by its answer.
func vaultLogin(path, mountPoint string) (mount, name string, ok bool) {
	path, ok = strings.CutPrefix(path, "auth/")
	if !ok {
		return "", "", false
	}
	mount = strings.Trim(strings.TrimPrefix(mountPoint, "auth/"), "/")
	if mount == "" {
		mount, _, ok = strings.Cut(path, "/login")
		if !ok {
			return "", "", false
		}
	}
	rest, ok := strings.CutPrefix(path, mount+"/login")
	if !ok || rest != "" && rest[0] != '/' {
		return "", "", false
	}
	return mount, strings.TrimPrefix(rest, "/"), true
}

func (p *vaultAudit) answered(l *vaultLine, e event.Event) {
	live := l.Auth != nil && l.Auth.ClientToken != ""
	switch {
	case e.Method == "mfa":
		e.Outcome = event.Refused
		if l.Response != nil && l.Response.Auth != nil && l.Response.Auth.ClientToken != "" {
			e.Outcome = event.Accepted
			if name, sure := p.shown(l.Request.Namespace.Path, l.Response.Auth); name != "" {
				e.Account = l.Request.Namespace.Path + name
				if !sure {
					e.Doubts = append(e.Doubts, event.ByToken)
				}
				p.accounts.Add(l.Response.Auth.ClientToken, e.Account)
			} else {
				p.o.Note(event.InUnnamed, e.Place, "")
			}
		}
	case e.Login && live:
		e.Outcome = event.Accepted
		p.accounts.Add(l.Auth.ClientToken, e.Account)
	case e.Login && l.Response != nil && l.Response.Auth != nil && l.Response.Auth.ClientToken == "":
		e.Outcome, e.Code = event.ValueRight, "mfa" // how it went on is not told of this request
	case e.Login && l.Error == "permission denied":
		// A lock of Vault's own; a disabled entity and a bound address say so
		// too.
		e.Outcome = event.Denied
	case e.Login && (l.Error == "" || l.Error == "invalid credentials"):
		e.Outcome = event.Refused
	case e.Login:
		e.Outcome = event.Failed
	case live:
		e.Outcome = event.Accepted
		if p.token(l, &e); l.Error != "" {
			e.Code = "refused by policy or failed"
		}
	case l.Request.ClientToken != "" && l.Error != "":
		e.Outcome = event.Refused
		p.token(l, &e)
	default:
		p.o.connected(e.Place, e.At, "", e.Address, e.Port)
		return // asked without a token: sys/health and its kin
	}
	if e.Login && e.Account == "" && e.Outcome.Bad() {
		p.o.Note(event.NamesNobody, e.Place, "")
	}
	p.o.Event(e)
}

// token says whose token was used, as far as the lines before it tell.
func (p *vaultAudit) token(l *vaultLine, e *event.Event) {
	inner := l.Request.ClientToken
	outer := ""
	if l.Auth != nil {
		outer = l.Auth.ClientToken
	}
	switch {
	case outer != "" && inner != "":
		p.outer.Add(inner, outer)
	case inner != "":
		outer, _ = p.outer.Get(inner)
	}
	for _, h := range []string{outer, inner} {
		if strings.HasPrefix(h, hashed) && (len(e.Hashes) == 0 || e.Hashes[0] != h) {
			e.Hashes = append(e.Hashes, h)
		}
	}
	account, known := p.accounts.Get(outer)
	if !known && l.Auth != nil {
		if account, _ = p.shown(l.Request.Namespace.Path, l.Auth); account != "" {
			e.Doubts = append(e.Doubts, event.ByToken)
		}
	}
	e.Account = account
	if l.Response != nil && l.Response.Auth != nil && l.Response.Auth.ClientToken != "" && account != "" {
		p.accounts.Add(l.Response.Auth.ClientToken, account) // a child
	}
}

// shown makes a login of what Vault shows of a token: its display name is the
// mount, and of users the mount, a dash and the name. Of a nested mount it has
// dashes for slashes (vault/request_handling.go), so those whose logins were
// met tell which it is: sure says that one alone was. Of several it is
// nobody's.
func (p *vaultAudit) shown(namespace string, a *vaultAuth) (login string, sure bool) {
	mount, name := a.DisplayName, a.Metadata["role_name"]
	if name == "" {
		name = a.Metadata["username"]
		cut, ok := strings.CutSuffix(mount, "-"+name)
		if !ok {
			return "", false
		}
		mount = cut
	}
	if mount == "" || name == "" {
		return "", false
	}
	switch met, _ := p.mounts.Get(namespace + mount); len(met) {
	case 0:
		return mount + "/" + name, !strings.Contains(mount, "-")
	case 1:
		return met[0] + "/" + name, true
	}
	return "", false
}

// met remembers a mount, by what a display name has of it.
func (p *vaultAudit) met(namespace, mount string) {
	as := namespace + strings.ReplaceAll(mount, "/", "-")
	met, _ := p.mounts.Get(as)
	if len(met) < 2 && !slices.Contains(met, mount) {
		p.mounts.Add(strings.Clone(as), append(slices.Clip(met), strings.Clone(mount)))
	}
}

// unanswered lets a request go whose response is not in the logs.
func (p *vaultAudit) unanswered(e event.Event) {
	if p.removing {
		return
	}
	p.o.Note(event.NoResponse, e.Place, "")
	if e.Login {
		p.o.Event(e)
	}
}

func (p *vaultAudit) Server() string { return "" }

func (p *vaultAudit) Close() {
	for p.waiting.Len() > 0 {
		p.waiting.RemoveOldest()
	}
}
