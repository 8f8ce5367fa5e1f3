package estate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// CheckBystanders returns nil if every bystander is as it was seeded: its
// password logs in on every server, and Vault holds the one version that was
// written, also at the thief's place that names one. The error names each
// bystander that is not, and no password.
func (e *Estate) CheckBystanders(ctx context.Context) error {
	var wrong []error
	for _, server := range e.Servers() {
		wrong = append(wrong, e.bystandersLogIn(ctx, server, e.Slapd.BaseDN()))
	}
	if e.Domain != nil {
		wrong = append(wrong, e.bystandersLogIn(ctx, e.Domain.LDAPS(), e.Domain.BaseDN()))
	}
	wrong = append(wrong, e.rolesLogIn(ctx))
	api := e.Vault.Client()
	for dn := range e.Bystanders {
		_, uid, _ := strings.Cut(dn, "=")
		uid, _, _ = strings.Cut(uid, ",")
		meta, err := api.Logical().ReadWithContext(ctx, "kv/metadata/"+bystanderPath(uid))
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Errorf("estate: %s in Vault: %w", dn, err))
		case meta == nil:
			wrong = append(wrong, fmt.Errorf("estate: %s is gone from Vault", dn))
		case fmt.Sprint(meta.Data["current_version"]) != "1":
			wrong = append(wrong, fmt.Errorf("estate: %s has version %v in Vault, not the one that was seeded", dn, meta.Data["current_version"]))
		}
	}
	return errors.Join(append(wrong, e.checkPlant(ctx))...)
}

// bystandersLogIn tries the bystanders below base at a server.
func (e *Estate) bystandersLogIn(ctx context.Context, server, base string) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.CA.PEM)
	conn, err := ldap.DialURL(server, ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}))
	if err != nil {
		return fmt.Errorf("estate: connect to %s: %w", server, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	var wrong []error
	for dn, value := range e.Bystanders {
		if !strings.HasSuffix(dn, ","+base) {
			continue
		}
		if err := conn.Bind(dn, value.Reveal()); err != nil {
			wrong = append(wrong, fmt.Errorf("estate: %s can no longer log in at %s: %w", dn, server, err))
		}
	}
	return errors.Join(wrong...)
}
