package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/faultproxy"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// These look at the servers themselves, past the proxies.

// accepts asks whether a value logs in at the write server.
func (b *bench) accepts(value credential.Secret) (bool, error) {
	return b.acceptedAt(value, false)
}

// acceptedAt asks the write server, or all servers, of which the first that
// lets the value in decides. Whoever is asked stands on the kind's contract
// (kind.Authority), which is tested by itself.
func (b *bench) acceptedAt(value credential.Secret, everywhere bool) (bool, error) {
	if value.IsZero() {
		return false, nil
	}
	for n, server := range b.direct.Servers() {
		if n > 0 && !everywhere {
			break
		}
		answer, err := b.direct.Offer(context.Background(), server, kind.Account{Subject: b.Credential.Subject, Name: b.Credential.Name}, value)
		if err != nil || answer == protocol.Accepted {
			return err == nil, err
		}
		if answer != protocol.Refused {
			return false, fmt.Errorf("a value is neither accepted nor refused: %s", answer)
		}
	}
	return false, nil
}

func (b *bench) read(path, name string) (credential.Secret, error) {
	got, err := b.e.Vault.Client().Logical().ReadWithContext(context.Background(), path)
	if err != nil || got == nil {
		return credential.Secret{}, err
	}
	data, _ := got.Data["data"].(map[string]any)
	value, _ := data[name].(string)
	return credential.NewSecret(value), nil
}

func (b *bench) live() (credential.Secret, error) {
	p := b.Credential.Paths[0]
	return b.read(p.Mount+"/data/"+p.Path, p.Field)
}

// notLost: the live or the staged value logs in, or a person's own does still.
func (b *bench) notLost() error {
	live, err := b.live()
	if err != nil {
		return err
	}
	staged, err := b.read("rollcall/data/staging/"+b.Credential.ID, "secret")
	if err != nil {
		return err
	}
	held := []credential.Secret{live, staged}
	if b.Credential.HandsOver() {
		held = append(held, credential.NewSecret(b.stolen.Password))
	}
	for _, v := range held {
		ok, err := b.accepts(v)
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
	}
	return errors.New("LOST: neither the live nor the staged value logs in")
}

// ended: the old value is dead, consumers have the new one, saw one change, and
// the authority was set once.
func (b *bench) ended() error {
	old, err := b.acceptedAt(credential.NewSecret(b.stolen.Password), true)
	if err != nil {
		return err
	}
	if old {
		return errors.New("called dead, and the stolen value still logs in")
	}
	live, err := b.live()
	if err != nil {
		return err
	}
	if ok, err := b.accepts(live); err != nil || !ok {
		return fmt.Errorf("what consumers read does not log in (%w)", err)
	}
	staged, err := b.read("rollcall/data/staging/"+b.Credential.ID, "secret")
	if err != nil {
		return err
	}
	if !staged.IsZero() {
		return errors.New("still staged")
	}
	p := b.Credential.Paths[0]
	meta, err := b.e.Vault.Client().Logical().ReadWithContext(context.Background(), p.Mount+"/metadata/"+p.Path)
	if err != nil {
		return err
	}
	want := "2"
	if b.Credential.HandsOver() {
		want = "1" // there was none before
		if err := b.mustBeChanged(live); err != nil {
			return err
		}
	}
	if v := fmt.Sprint(meta.Data["current_version"]); v != want {
		return fmt.Errorf("consumers saw version %s instead of %s, one change", v, want)
	}
	return b.setOnce()
}

// mustBeChanged: the temporary value is the right one and lets nobody in.
func (b *bench) mustBeChanged(value credential.Secret) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(b.e.CA.PEM)
	conn, err := ldap.DialURL(b.stolen.Servers[0], ldap.DialWithTLSConfig(&tls.Config{RootCAs: pool}))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Bind(b.stolen.DN, value.Reveal()); err == nil || !strings.Contains(err.Error(), ", data 773,") {
		return fmt.Errorf("called dead, and the owner is not made to change the temporary value (%w)", err)
	}
	return nil
}

// isSet reports whether a request sets a value, or completes that.
func (b *bench) isSet(r faultproxy.Request) bool {
	const passwordModify = "1.3.6.1.4.1.4203.1.11.1" // RFC 3062
	return r.Applied && (r.Detail == passwordModify || r.Detail == "commit" ||
		r.Kind == "modify" && b.Credential.Authority == estate.DomainName ||
		b.Credential.Kind.OpensVault() && (strings.HasSuffix(r.Detail, "/custom-secret-id") || strings.HasSuffix(r.Detail, "/password")))
}

// setOnce counts the sets that a server answered. A domain controller is to get
// two, and one more where it cannot be told whose value the first one replaced;
// a reply lost to the last repeats both. One that the server was slow to answer
// may have been given up, and is then made once more.
func (b *bench) setOnce() error {
	n, slow := 0, 0
	for _, p := range append(slices.Clone(b.servers), b.vault) {
		for _, r := range p.Requests() {
			if b.isSet(r) {
				n++
				if p.Took(r) > 500*time.Millisecond { // of two seconds, with the way there and back
					slow++
				}
			}
		}
	}
	least, most := 1, 1
	if b.Credential.Authority == estate.DomainName {
		least, most = 2, 5
		if b.Credential.HandsOver() {
			most += 2 // must-change, which is lost with the rest or done again
		}
	}
	if n < least || n > most+min(slow, most) {
		return fmt.Errorf("the authority was set %d times", n)
	}
	return nil
}
