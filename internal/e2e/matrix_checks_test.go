package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
)

// These look at the servers themselves, past the proxies.

// accepts asks the authority whether a value logs in.
func (b *bench) accepts(value credential.Secret) (bool, error) {
	if value.IsZero() {
		return false, nil
	}
	if b.Credential.Kind.OpensVault() {
		return b.acceptsLogin(value)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(b.Directory.CA))
	conn, err := ldap.DialURL(b.stolen.Servers[0], ldap.DialWithTLSConfig(&tls.Config{RootCAs: pool}))
	if err != nil {
		return false, err
	}
	defer conn.Close()
	err = conn.Bind(b.stolen.DN, value.Reveal())
	if b.Credential.HandsOver() && err != nil && strings.Contains(err.Error(), ", data 773,") {
		return true, nil // the right one, which its owner must change
	}
	if ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
		return false, nil
	}
	return err == nil, err
}

func (b *bench) acceptsLogin(value credential.Secret) (bool, error) {
	api := b.e.Vault.Client()
	api.ClearToken()
	at, with := "auth/approle/login", map[string]any{"role_id": b.stolen.RoleID, "secret_id": value.Reveal()}
	if b.Credential.Kind == credential.UserpassPassword {
		at, with = "auth/userpass/login/"+b.stolen.User, map[string]any{"password": value.Reveal()}
	}
	got, err := api.Logical().WriteWithContext(context.Background(), at, with)
	if err != nil {
		return false, nil //nolint:nilerr // a refused login is the answer
	}
	api.SetToken(got.Auth.ClientToken)
	return true, api.Auth().Token().RevokeSelfWithContext(context.Background(), "")
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
	old, err := b.accepts(credential.NewSecret(b.stolen.Password))
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
	pool.AppendCertsFromPEM([]byte(b.Directory.CA))
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

// setOnce counts the sets that a server answered. A domain controller is to get
// two, and one more where it cannot be told whose value the first one replaced;
// a reply lost to the last repeats both.
func (b *bench) setOnce() error {
	const passwordModify = "1.3.6.1.4.1.4203.1.11.1" // RFC 3062
	n := 0
	for _, r := range b.ldap.Requests() {
		if r.Applied && r.Detail == passwordModify {
			n++
		}
	}
	if b.Credential.Kind.OpensVault() {
		for _, r := range b.vault.Requests() {
			if r.Applied && (strings.HasSuffix(r.Detail, "/custom-secret-id") || strings.HasSuffix(r.Detail, "/password")) {
				n++
			}
		}
	}
	if b.Credential.Kind == credential.ADPassword || b.Credential.HandsOver() {
		most := 5
		if b.Credential.HandsOver() {
			most += 2 // must-change, which is lost with the rest or done again
		}
		for _, r := range b.ldap.Requests() {
			if r.Applied && r.Kind == "modify" {
				n++
			}
		}
		if n < 2 || n > most {
			return fmt.Errorf("the account was changed %d times", n)
		}
		return nil
	}
	if n != 1 {
		return fmt.Errorf("the authority was set %d times", n)
	}
	return nil
}
