package directory

import "context"

// Resets is which accounts may set the passwords of which others, as far as the
// directory shows it.
type Resets struct {
	// Alike are accounts that the same ones may reset.
	Alike []Alike
	// Readers are those of the accounts that were asked about that may read
	// what each account of the directory is set to.
	Readers []string
	// Hidden are accounts of which bind.dn is not shown who may reset them.
	Hidden []string
	// Why more is not known than Alike says; empty where all is.
	Why string
	// NotAsked is why the rules of a driver that commonly hides them were not
	// read; empty where they were. Nobody is put first for it then.
	NotAsked string
}

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
	if !ok || len(ids) < 2 {
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
	return out, err
}
