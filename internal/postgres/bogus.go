package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

var _ authority.Rehearser = (*System)(nil)

func (s *System) bogusRole(in authority.Rehearsal, name string) (string, error) {
	if in.Account != "" {
		name = in.Account
	}
	if !authority.IsBogus(name) {
		return "", fmt.Errorf("database %s: no rehearsal touches a role whose name does not begin with %s", s.name, authority.Bogus)
	}
	return name, nil
}

// MakeBogus is authority.Rehearser: a role that may log in and nothing else.
func (s *System) MakeBogus(ctx context.Context, in authority.Rehearsal, name string, value credential.Secret) (made bool, err error) {
	role, err := s.bogusRole(in, name)
	if err != nil {
		return false, err
	}
	v, err := newVerifier(value)
	if err != nil {
		return false, err
	}
	// The verifier is of letters, digits and $+/=: (verifierForm).
	err = s.aboutRole(ctx, "make a bogus role", fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", pgx.Identifier{role}.Sanitize(), v.Reveal()))
	var stop *protocol.Stop
	return !errors.As(err, &stop), err
}

func (s *System) aboutRole(ctx context.Context, what, statement string) error {
	write := s.servers[0]
	err := write.admin(ctx, "", false, func(conn *session) error {
		return write.do(ctx, conn, what, func(ctx context.Context) error {
			_, err := conn.Exec(ctx, statement)
			return err
		})
	})
	if codeOf(err) == codeInsufficientRight {
		return &protocol.Stop{Reason: protocol.ReasonRights, Server: write.name, Detail: "it refused to " + what + ": grant CREATEROLE, or name a role that an administrator made (docs/rights.md)"}
	}
	return err
}

// FindBogus is authority.Rehearser.
func (s *System) FindBogus(ctx context.Context, in authority.Rehearsal, name string) (authority.Account, bool, error) {
	role, err := s.bogusRole(in, name)
	if err != nil {
		return authority.Account{}, false, err
	}
	r, found, err := s.Client.Find(ctx, s.Servers()[0], role)
	return authority.Account{Subject: r.ID, Name: r.Name, Short: r.Name}, found, err
}

// RemoveBogus is authority.Rehearser.
func (s *System) RemoveBogus(ctx context.Context, in authority.Rehearsal, name string) error {
	role, err := s.bogusRole(in, name)
	if err != nil || !in.Create {
		return err
	}
	return s.aboutRole(ctx, "remove a bogus role", "DROP ROLE IF EXISTS "+pgx.Identifier{role}.Sanitize())
}
