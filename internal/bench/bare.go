package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"
)

// bare rotates by making the calls of internal/rotation for a credential with
// one path and one server on which nothing goes wrong, in their order, and
// believes every answer:
//
//	LookUp   Accounts, 100 at once
//	Prepare  ReadLive · Stage
//	Apply    Offer old (bind) · Set · Try new (bind, read itself) · Activate ·
//	         Offer old (refused bind) · Offer new (bind)
//	Clean    Destroy (look, destroy) · Release
//
// In a domain Set is a reset and a look, after Activate comes Retire, another
// reset between two looks, and before the old value is offered comes one more.
// compareCalls holds it to that. It shares no code with internal/vault and
// internal/directory.
type bare struct {
	http   *http.Client
	vault  string // URL
	token  string
	domain bool
	base   string
	admin  *ldap.Conn
	probe  *ldap.Conn
}

// bareRotator dials like a pool: two LDAP connections for each worker, HTTP
// connections shared by all.
func bareRotator(g *ground, d *dirServer, ldapURL, vaultURL string, workers int) func() (rotator, error) {
	shared := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(d.ca))
	dial := func() (*ldap.Conn, error) {
		return ldap.DialURL(ldapURL, ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}))
	}
	return func() (rotator, error) {
		b := &bare{http: shared, vault: vaultURL, token: g.vault.RootToken().Reveal(), domain: d.domain(), base: d.base}
		var err error
		if b.admin, err = dial(); err != nil {
			return nil, err
		}
		if err = b.admin.Bind(d.binderDN, d.binderPassword); err != nil {
			return nil, err
		}
		b.probe, err = dial()
		return b, err
	}
}

// bare times the bare loop on a group.
func (g *ground) bare(ctx context.Context, group string, workers int) (Timing, error) {
	d := g.corp()
	return g.time(ctx, group, workers, bareRotator(g, d, d.url, g.vault.Address(), workers))
}

func (b *bare) close() {
	_ = b.admin.Close()
	_ = b.probe.Close()
}

func (b *bare) rotate(ctx context.Context, a account) error {
	live, staged := "kv/data/"+a.path, "rollcall/data/staging/bench/"+a.uuid
	value := rand.Text() + "-a1" // a domain wants three classes of characters
	for _, step := range []func() error{
		func() error { return b.call(ctx, http.MethodGet, live, nil) },
		func() error {
			return b.write(ctx, staged, 0, map[string]any{
				"secret": value, "campaign": "bench", "attempt": 1, "base": map[string]int{live: 1}, "old": map[string]string{live: a.password},
			})
		},

		func() error { return b.bind(a, a.password) },
		func() error { return b.set(a, value) },
		func() error { return b.login(a, value) },
		// Vault is asked for the mount first: one that was made anew as KV
		// version 1 takes whatever is sent, and keeps it in clear.
		func() error { return b.call(ctx, http.MethodGet, "sys/internal/ui/mounts/kv/"+a.path, nil) },
		func() error { return b.write(ctx, live, 1, map[string]any{"username": a.uid, "password": value}) },
		func() error { return b.retire(a, value) },
		func() error { return b.lookIfDomain(a) },
		func() error { return b.refused(a, a.password) },
		func() error { return b.bind(a, value) },

		// Version numbers mean other things once a secret was deleted and made
		// anew.
		func() error { return b.call(ctx, http.MethodGet, "kv/metadata/"+a.path, nil) },
		func() error {
			return b.call(ctx, http.MethodPut, "kv/destroy/"+a.path, map[string]any{"versions": []int{1}})
		},
		func() error { return b.call(ctx, http.MethodDelete, "rollcall/metadata/staging/bench/"+a.uuid, nil) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("%s: %w", a.uid, err)
		}
	}
	return nil
}

func (b *bare) set(a account, value string) error {
	if !b.domain {
		_, err := b.admin.PasswordModify(ldap.NewPasswordModifyRequest(a.dn, "", value))
		return err
	}
	if err := b.reset(a, value); err != nil {
		return err
	}
	return b.look(a)
}

func (b *bare) retire(a account, value string) error {
	if !b.domain {
		return nil
	}
	if err := b.look(a); err != nil {
		return err
	}
	if err := b.reset(a, value); err != nil {
		return err
	}
	return b.look(a)
}

func (b *bare) lookIfDomain(a account) error {
	if !b.domain {
		return nil
	}
	return b.look(a)
}

// reset replaces unicodePwd: in quotes, UTF-16LE ([MS-ADTS] 3.1.1.3.1.5.1).
func (b *bare) reset(a account, value string) error {
	var quoted []byte
	for _, unit := range utf16.Encode([]rune(`"` + value + `"`)) {
		quoted = binary.LittleEndian.AppendUint16(quoted, unit)
	}
	req := ldap.NewModifyRequest(a.dn, nil)
	req.Replace("unicodePwd", []string{string(quoted)})
	return b.admin.Modify(req)
}

// bind asks a server with a password policy what that thinks, as a campaign
// does.
func (b *bare) bind(a account, value string) error {
	req := &ldap.SimpleBindRequest{Username: a.dn, Password: value}
	if !b.domain {
		req.Controls = []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}
	}
	_, err := b.probe.SimpleBind(req)
	return err
}

// lookUp reads entries in one search.
func (b *bare) lookUp(_ context.Context, accounts []account) error {
	var any strings.Builder
	for _, a := range accounts {
		any.WriteString(b.filter(a))
	}
	return b.search("(|"+any.String()+")", len(accounts))
}

// look reads the entry with what its server keeps about the password.
func (b *bare) look(a account) error { return b.search(b.filter(a), 1) }

func (b *bare) filter(a account) string {
	if b.domain {
		return guidFilter(a.uuid)
	}
	return "(entryUUID=" + a.uuid + ")"
}

func (b *bare) search(filter string, want int) error {
	attrs := []string{"entryUUID", "entryCSN", "pwdChangedTime", "pwdAccountLockedTime", "pwdReset", "pwdStartTime", "pwdEndTime", "pwdPolicySubentry"}
	if b.domain {
		attrs = []string{"objectGUID", "pwdLastSet", "userAccountControl", "msDS-User-Account-Control-Computed", "lockoutTime", "accountExpires"}
	}
	found, err := b.admin.Search(ldap.NewSearchRequest(b.base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 2*want, 0, false, filter, attrs, nil))
	if err == nil && len(found.Entries) != want {
		err = fmt.Errorf("%d of %d entries were found", len(found.Entries), want)
	}
	return err
}

// login binds as the account and reads its entry.
func (b *bare) login(a account, value string) error {
	if err := b.bind(a, value); err != nil {
		return err
	}
	_, err := b.probe.Search(ldap.NewSearchRequest(a.dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", []string{"1.1"}, nil))
	return err
}

func (b *bare) refused(a account, value string) error {
	err := b.bind(a, value)
	if ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
		return nil
	}
	return fmt.Errorf("the old value was not refused: %w", err)
}

func (b *bare) write(ctx context.Context, path string, cas int, data map[string]any) error {
	return b.call(ctx, http.MethodPut, path, map[string]any{"options": map[string]any{"cas": cas}, "data": data})
}

// call makes one request and reads the whole answer, so that the connection
// can be used again.
func (b *bare) call(ctx context.Context, method, path string, body any) error {
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, b.vault+"/v1/"+path, sent)
	if err != nil {
		return err
	}
	req.Header.Set("X-Vault-Token", b.token)
	res, err := b.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var reply struct {
		Data map[string]any `json:"data"`
	}
	err = json.NewDecoder(res.Body).Decode(&reply)
	if _, rest := io.Copy(io.Discard, res.Body); rest != nil {
		return rest
	}
	if res.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: Vault answers %s", method, path, res.Status)
	}
	if errors.Is(err, io.EOF) { // 204
		return nil
	}
	return err
}
