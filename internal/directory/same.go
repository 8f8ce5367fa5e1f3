package directory

import (
	"context"

	"rollcall/internal/authority"
)

// Identity is authority.Identified: the immutable id of the entry at base, and
// those of the entries above it, as far as bind.dn is shown them. Every server
// of a directory has the same, and so has a restored copy.
func (c *Client) Identity(ctx context.Context) (out authority.Identity, err error) {
	if out.Self, err = c.IDOf(ctx, c.conf.Base); err != nil {
		return out, err
	}
	for dn := parentDN(c.conf.Base); dn != ""; dn = parentDN(dn) {
		id, err := c.IDOf(ctx, dn)
		if ctx.Err() != nil || IsUnreachable(err) {
			return out, err
		}
		if err == nil && id != "" { // else it is above the suffix, or not shown
			out.Within = append(out.Within, id)
		}
	}
	return out, nil
}
