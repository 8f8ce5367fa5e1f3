package directory

import (
	"context"
	"errors"
	"fmt"

	"rollcall/internal/address"
	"rollcall/internal/protocol"
)

// admin runs f on a connection bound as the worker: as the first of its
// identities that the server lets in. run is pool.use or pool.useTwice. dn is
// the entry that the operation is about; empty if it is about none or several.
//
// An operation on one of a pair is for the other alone, and on a connection
// made for it: the login just before shows that the other's value in Vault
// works, and no connection that an older value opened does the work.
func (s *server) admin(ctx context.Context, dn string, run func(*pool, context.Context, func(*conn) error) error, f func(*conn) error) error {
	if i := s.partnerOf(dn); i != nil {
		return i.once(ctx, f)
	}
	var failed error
	for _, i := range s.identities {
		err := run(i.pool, ctx, f)
		if !isRefused(err) {
			return err
		}
		if failed != nil {
			err = fmt.Errorf("%w; %w", failed, err)
		}
		failed = err
	}
	return failed
}

// partnerOf is the other of a pair if dn is one of it, else nil.
func (s *server) partnerOf(dn string) *identity {
	if dn == "" || len(s.identities) != 2 {
		return nil
	}
	for n, i := range s.identities {
		if SameDN(dn, i.bind.DN) {
			return s.identities[1-n]
		}
	}
	return nil
}

// once runs f on a connection of its own.
func (i *identity) once(ctx context.Context, f func(*conn) error) error {
	c, err := i.dial(ctx)
	if isRefused(err) {
		return &protocol.Stop{Reason: protocol.ReasonRights, Server: i.server.name,
			Detail: "the other bind identity of the pair, which works on this one, is not let in here with the password that Vault holds for it; put that in order (rollcall doctor)"}
	}
	if err != nil {
		return err
	}
	defer c.close()
	return f(c)
}

// checkPair looks whether the second identity of a pair can log in too, and
// whether each may reset the other.
func (s *server) checkPair(ctx context.Context, write bool, add addCheck) {
	for n, i := range s.identities {
		c, err := i.dial(ctx)
		if n > 0 {
			addBind(i, err, add)
		}
		if err != nil {
			continue
		}
		if other := s.partnerOf(i.bind.DN); write {
			s.client.driver.mayReset(ctx, c, other.bind.DN, add)
		}
		c.close()
		if base := s.client.conf.Base; write && !Within(i.bind.DN, base) {
			add("pair", false, fmt.Sprintf("%s lies outside base, so it cannot be put on the roll", i.bind.DN),
				fmt.Sprintf("widen base (%q), or move the identity below it", base))
		}
	}
}

// addBind says how the login of an identity went.
func addBind(i *identity, err error, add addCheck) {
	if err != nil {
		do := "put the right password of bind.dn into Vault, or correct bind.dn"
		if own := (*identityError)(nil); !errors.As(err, &own) && !address.IsUnreachable(err) {
			do = "let Rollcall's login read where bind.password says that the password lies (`rollcall init` gives that right to its worker), or correct that place"
		}
		if errors.Is(err, errNoPassword) {
			do = fmt.Sprintf("put the password of bind.dn at %s, or correct that place (bind.password)", i.bind.Password)
		}
		add("bind", false, err.Error(), do)
		return
	}
	add("bind", true, "bound as "+i.bind.DN, "")
}
