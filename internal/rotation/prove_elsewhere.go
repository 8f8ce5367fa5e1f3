package rotation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// RefusedElsewhere is why what a person has changed is not dead at an account
// that has its login too, or nil: each server of the account's authority
// refuses each stolen value. Nothing is changed there, and the new value is not
// offered, which may be none of its own. No wrong login is made that could lock
// the account, none before all its servers have shown it, and none twice: what
// a server has refused is noted in Vault, and a look that broke off is gone on
// with by the next one, of this process or of another. Servers that a person
// has left out are not asked, other than the write server.
//
// An account that the write server does not show any more was deleted, or moved
// to where nobody looks, or is hidden: it may take what was stolen. So may one
// that another server does not show.
func (a DoorAsker) RefusedElsewhere(ctx context.Context, au kind.Authority, at credential.AccountAt, olds []credential.Secret, leftOut []string) *protocol.Stop {
	c := at.Credential()
	limited, limits := kind.As[kind.Limited](au)
	var servers []string
	for i, server := range au.Servers() {
		if i > 0 && slices.Contains(leftOut, server) {
			continue
		}
		switch now, err := au.Account(ctx, server, c); {
		case err != nil:
			return atAccount(protocol.AsStop(err), at)
		case now.State == protocol.Gone && i == 0:
			return atAccount(&protocol.Stop{Reason: protocol.ReasonGone, Server: server, Detail: "this server does not show the account any more: it was deleted, or moved out of the base, or hidden, and may take the stolen value; where it is deleted for good, accept this as open (rollcall accept-open)"}, at)
		case now.State == protocol.Gone: // the write server shows it, so it is there
			return atAccount(&protocol.Stop{Reason: protocol.ReasonGone, Server: server, Detail: "the write server shows the account, and this one does not: bind.dn may see less here, or the server lags, and it may take the stolen value; give bind.dn the right to see it here, or leave the server out (rollcall leave-out)"}, at)
		case now.State != protocol.Accepted:
			return atAccount(protocol.StopFor(now.State, server), at)
		default:
			servers = append(servers, server)
		}
	}
	wrong := 0
	for _, server := range servers {
		for _, old := range olds {
			if limits && limited.CannotOffer(old) != "" {
				continue // no login there can carry it
			}
			try, stop := a.tryElsewhere(ctx, c.ID, server, old)
			switch {
			case stop != nil:
				return atAccount(stop, at)
			case try.refused:
				continue
			}
			now, err := au.Account(ctx, server, c)
			switch {
			case err != nil:
				return atAccount(protocol.AsStop(err), at)
			case now.State != protocol.Accepted:
				return atAccount(protocol.StopFor(now.State, server), at)
			case now.Locks > 0 && now.Locks-1-max(now.Failed, wrong) < 1, now.Locks == 0 && wrong >= maxWrongLogins:
				return atAccount(&protocol.Stop{Reason: protocol.ReasonNearLock, Server: server, Detail: "one more wrong login could lock the account, so it was not asked in this look"}, at)
			}
			if err := try.begin(ctx); err != nil {
				return protocol.AsStop(err)
			}
			switch reply, err := au.Offer(ctx, server, now, old); {
			case err != nil:
				return atAccount(protocol.AsStop(err), at)
			case reply == protocol.Accepted || reply == protocol.MustChange || reply == protocol.PasswordExpired:
				try.note(ctx, took)
				return atAccount(&protocol.Stop{Reason: protocol.ReasonOldAccepted, Server: server, Detail: "its doors refuse the stolen value, and this server takes it"}, at)
			case reply != protocol.Refused:
				if !mayHaveCounted(reply) {
					try.note(ctx, said)
				}
				return atAccount(protocol.StopFor(reply, server), at)
			}
			if wrong++; !inOrder(ctx, au, server, c) {
				return atAccount(&protocol.Stop{Reason: protocol.ReasonLocked, Server: server, Detail: "the account refused the stolen value, and whether as a wrong one is not known: it is not in order since"}, at)
			}
			try.note(ctx, refuses)
		}
	}
	return nil
}

func (a DoorAsker) now() time.Time {
	if a.Now == nil {
		return time.Now()
	}
	return a.Now()
}

// mayHaveCounted: it was a wrong login, perhaps, or the one that locked.
func mayHaveCounted(reply protocol.Reply) bool {
	switch reply {
	case protocol.Unreachable, protocol.Locked, protocol.LockNotShown, protocol.LoginLocked, protocol.RoleLocked:
		return true
	}
	return false
}

func inOrder(ctx context.Context, au kind.Authority, server string, c credential.Credential) bool {
	a, err := au.Account(ctx, server, c)
	return err == nil && a.State == protocol.Accepted
}

// atAccount says whose account it is, and not by its name: a stop travels.
func atAccount(stop *protocol.Stop, at credential.AccountAt) *protocol.Stop {
	out := *stop
	out.Detail = fmt.Sprintf("%s: %s has an account with the login of this task (the listing names it: %s); change it there as well, or exclude it if it has nothing to do with it", stop.Detail, at.Authority, credential.FindingSameName)
	return &out
}
