package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Asks is how a server asks for the password of a role, from here and for the
// database of the campaign file. The connection ends before anything is
// offered, as psql's does that has to ask its user first, so that nothing is
// refused and nothing logged. MD5 says that the password is stored so: the
// server asks by SCRAM for one that is stored by SCRAM, whatever pg_hba.conf
// says (PostgreSQL 15, src/backend/libpq/auth.c, CheckPWChallengeAuth).
// NoPassword is also a server that lets the role in without one, and
// OtherMethod one that does not let it in from here.
func (c *Client) Asks(ctx context.Context, server, role string) (Method, error) {
	s, err := c.server(server)
	if err != nil {
		return OtherMethod, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.conf.Timeout)
	defer cancel()
	var saw seen
	err = s.overTLS(ctx, func(conn encrypted) error {
		e := &exchange{}
		f := pgproto3.NewFrontend(e.tap(conn), conn)
		f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30,
			Parameters: map[string]string{"user": role, "database": c.conf.Database, "application_name": application}})
		if err := f.Flush(); err != nil {
			return err
		}
		_, err := f.Receive()
		saw = e.seen()
		return err
	})
	if err != nil {
		return OtherMethod, s.plain(ctx, "look how a password is asked for", err)
	}
	if saw.asked == NoPassword && !saw.authenticated {
		return OtherMethod, nil
	}
	return saw.asked, nil
}
