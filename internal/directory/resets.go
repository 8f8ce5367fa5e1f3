package directory

import (
	"context"
	"maps"
	"slices"
)

// Resets is which accounts may set the passwords of which others, as far as the
// directory shows it.
type Resets struct {
	// Alike are accounts that the same ones may reset.
	Alike []Alike
	// Readers are those of the accounts that were asked about that may read
	// what each account of the directory is set to.
	Readers []string
	// ReadsHow says what Readers may and by which right, for people, with a
	// place for the directory's name.
	ReadsHow string
	// ReadBy says of those of Readers that do not read by a right of their own
	// by what they do, for people.
	ReadBy map[string]string
	// ReadAs are the identifiers that each of Readers acted with, for
	// StillRead.
	ReadAs map[string][]string
	// Copies are what accounts may keep of their password a second time, where
	// bind.dn is not shown it.
	Copies Unshown
	// Hidden are accounts of which bind.dn is not shown who may reset them.
	Hidden []string
	// Why more is not known than Alike says; empty where all is.
	Why string
	// NotAsked is why the rules of a driver that commonly hides them were not
	// read; empty where they were. Nobody is put first for it then.
	NotAsked string
}

// How readers read, and what is to be done besides taking the right away.
const (
	ReadsReplicated = "fetch the hashes of all passwords of %s (DS-Replication-Get-Changes-All on the domain, or a right to take that), and a hash logs in"
	ReadsLogged     = "read the changes of %s as it logs them (cn=changelog), where each new password stands as it was sent; besides taking that right away, nsslapd-unhashed-pw-switch: nolog ends it"
	ReadsAsTheyAre  = "read the passwords of accounts of %s, which are kept there as they are (read on userPassword, or proxy, by the rules that it shows)"
)

// Alike are accounts, by immutable id, that the same others may reset. By holds
// of those that were asked about the ones that may; one of Accounts among them
// may reset the rest, and itself.
type Alike struct{ Accounts, By []string }

// Resets works out which of the accounts with these immutable ids may set the
// passwords of which others, in few searches. It changes nothing. A driver that
// does not show it gives nothing. An error means that the server was not
// reached, or does not answer.
func (c *Client) Resets(ctx context.Context, server string, ids []string) (Resets, error) {
	f, ok := c.driver.(interface {
		resets(ctx context.Context, c *conn, ids []string) (Resets, error)
	})
	if !ok || len(ids) == 0 {
		return Resets{}, nil
	}
	s, err := c.server(server)
	if err != nil {
		return Resets{}, err
	}
	var out Resets
	err = s.admin(ctx, "", (*pool).useTwice, func(cn *conn) (err error) {
		out, err = f.resets(ctx, cn, ids)
		return err
	})
	if len(ids) == 1 { // it sets no other one; whoever had it may read what it is set to
		out = Resets{Readers: out.Readers, ReadsHow: out.ReadsHow, ReadBy: out.ReadBy, ReadAs: out.ReadAs, Copies: out.Copies}
	}
	return out, err
}

// Readers are those of some accounts that may read the password of another one
// of them, by the rules that the directory shows. It is asked where passwords
// are kept as they are. An error means that this does not show, or that the
// server does not answer.
func (c *Client) Readers(ctx context.Context, ids []string) (out []string, err error) {
	f, ok := c.driver.(interface {
		readers(ctx context.Context, c *conn, who, of []string) (map[string]bool, error)
	})
	if !ok {
		return nil, nil
	}
	err = c.servers[0].admin(ctx, "", (*pool).useTwice, func(cn *conn) error {
		may, err := f.readers(ctx, cn, ids, ids)
		for _, id := range ids {
			if may[id] {
				out = append(out, id)
			}
		}
		return err
	})
	return out, err
}

// AddLogReaders adds to what is known those of some accounts that read new
// passwords in a log of changes.
func (c *Client) AddLogReaders(ctx context.Context, ids []string, to *Resets) error {
	found, err := c.LogReaders(ctx, ids, true)
	if err != nil || len(found) == 0 {
		return err
	}
	if len(to.Readers) == 0 {
		to.ReadsHow = ReadsLogged
	}
	if to.ReadAs == nil {
		to.ReadAs = map[string][]string{}
	}
	for _, id := range found {
		if !slices.Contains(to.Readers, id) {
			to.Readers, to.ReadAs[id] = append(to.Readers, id), []string{byLog}
		}
	}
	return nil
}

// StillRead are those of who, accounts by immutable id with what Resets said
// that they act with, that may read now what the accounts of are set to. A
// driver that cannot tell keeps all of them. It changes nothing. An error means
// that the server was not reached, does not answer, or does not show it.
func (c *Client) StillRead(ctx context.Context, who map[string][]string, of []string) (still map[string]bool, err error) {
	f, ok := c.driver.(interface {
		stillRead(ctx context.Context, c *conn, who map[string][]string, of []string) (map[string]bool, error)
	})
	if still = map[string]bool{}; !ok {
		for id := range who {
			still[id] = true
		}
		return still, nil
	}
	var logged []string
	rest := map[string][]string{}
	for id, as := range who {
		if slices.Equal(as, []string{byLog}) {
			logged = append(logged, id)
		} else {
			rest[id] = as
		}
	}
	found, err := c.LogReaders(ctx, logged, false)
	for _, id := range found {
		still[id] = true
	}
	if err != nil || len(rest) == 0 {
		return still, err
	}
	err = c.servers[0].admin(ctx, "", (*pool).useTwice, func(cn *conn) error {
		others, err := f.stillRead(ctx, cn, rest, of)
		maps.Copy(still, others)
		return err
	})
	return still, err
}
