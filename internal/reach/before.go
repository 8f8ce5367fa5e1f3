package reach

import (
	"context"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Closed is rotation.Reach's.
func (o *Reach) Closed(id string) { o.of.add(o.campaign, id) }

// Opened is rotation.Reach's.
func (o *Reach) Opened(id string) { o.of.drop(o.campaign, id) }

// BeforeStaging says why nothing may be staged for c, or nil. A login waits for
// no other one that will be closed, and goes on where it was begun. aside says
// that nothing is in its way but others that cannot be asked: if it could be
// set else, StandAside says so to them.
func (o *Reach) BeforeStaging(ctx context.Context, c credential.Credential) (stop *protocol.Stop, aside bool) {
	switch {
	case c.Kind.OnlyEnds():
		return nil, false // nothing new of it lies anywhere
	case o.seen[c.Authority] && !o.begun(ctx, c):
		return &protocol.Stop{Reason: protocol.ReasonWithinReach, Detail: seenDetail}, false
	case !c.ReachesVault():
		return o.Within(ctx, c), false
	case o.begun(ctx, c):
		return nil, false
	}
	if stop = o.never(ctx, c); stop == nil {
		stop = o.unasked(ctx, c)
		aside = stop != nil
	}
	return o.settled(ctx, c, stop), aside
}

// begun reports whether a value of the campaign is staged for c, so that it may
// be set already.
func (o *Reach) begun(ctx context.Context, c credential.Credential) bool {
	staged, found, err := o.of.store.ReadStaged(ctx, c.ID)
	return err == nil && found && staged.Campaign == o.campaign
}

// Before is rotation.Reach's. A login that waits for nothing but others that
// will be closed is let through here, and waits for those at Stand.
func (o *Reach) Before(ctx context.Context, c credential.Credential) *protocol.Stop {
	return o.settled(ctx, c, o.never(ctx, c))
}

// never says why c could not be finished whatever is rotated, or nil.
func (o *Reach) never(ctx context.Context, c credential.Credential) *protocol.Stop {
	for _, at := range makes(c) {
		for _, login := range o.readers[at] {
			if login.ID != c.ID && o.open(ctx, login, c) {
				return notBegunFor("another login to Vault of the roll (" + o.told(login) + ") is not dead yet, and may make this one anew (" + o.how(login, "it may write to its role or user, or make its secret-ids or passwords") + "): whoever stole that one would have this one again")
			}
		}
	}
	for i, place := range o.places(c) {
		for _, login := range o.readers[place] {
			self, stays := login.ID == c.ID, o.stays[login.ID]
			switch {
			case i == 0 && (self || o.open(ctx, login, c)):
				return notBegunFor("a login to Vault of the roll that is not dead yet, perhaps this one (" + o.told(login) + "), could read what Rollcall stages" + o.because(login) + ": take that right from it first")
			case i > 0 && self && stays.Tokens:
				return notBegunFor("it gives batch tokens, or did so when it was listed: those that somebody has live until they expire, whatever becomes of its secret-ids, and could read where its new one goes" + o.because(login) + ". Wait for them to expire (token_max_ttl) with service tokens set on the role or its mount, and run again")
			case i > 0 && !self && (stays.Tokens || stays.Login) && o.open(ctx, login, c):
				return notBegunFor("another login to Vault of the roll (" + o.told(login) + ") could read where its new value goes" + o.because(login) + ", and no rotation closes that one: it gives batch tokens, lets in without its secret, or cannot be rotated as it is listed")
			}
		}
	}
	for _, login := range append(slices.Clone(o.unknown), o.shut...) {
		if stays := o.stays[login.ID]; login.ID != c.ID && (stays.Login || stays.Tokens) && o.open(ctx, login, c) {
			return notBegunFor(notAsked + ": " + o.told(login))
		}
	}
	return nil
}

const notAsked = "another login to Vault of the roll is not dead yet, and what it could read cannot be found out (its own reason says what is the matter with it)"

// unasked says why nothing is staged where others cannot be asked, or nil. Of
// one that cannot be asked itself the matter shows when it is looked at: so it
// is staged, and waits then.
func (o *Reach) unasked(ctx context.Context, c credential.Credential) *protocol.Stop {
	if slices.ContainsFunc(o.unknown, func(l credential.Credential) bool { return l.ID == c.ID }) {
		return nil
	}
	if which := o.notAsked(ctx, c, func(login credential.Credential) bool { return login.ID != c.ID }); which != "" {
		return o.awaiting(ctx, c, notBegunFor(notAsked+": "+which))
	}
	return nil
}

// settled has the right words where a value that an earlier campaign staged for
// c may be in force.
func (o *Reach) settled(ctx context.Context, c credential.Credential, stop *protocol.Stop) *protocol.Stop {
	if stop == nil {
		return nil
	}
	staged, found, err := o.of.store.ReadStaged(ctx, c.ID)
	if err == nil && found && (staged.HoldsOthers() || staged.Campaign != o.campaign && staged.MayBeInForce()) {
		stop.Detail = strings.Replace(stop.Detail, notBegunEnd, "; this campaign has changed nothing: a value that an earlier one staged may be in force, and lies in staging, until that is settled, or a person accepts the login by name (rollcall accept-open)", 1)
	}
	return stop
}

// Within is rotation.Reach's. What a login could read was asked at the
// beginning of the batch; whether it is closed is asked now.
func (o *Reach) Within(ctx context.Context, c credential.Credential) *protocol.Stop {
	for i, place := range o.places(c) {
		for _, login := range o.readers[place] {
			if o.open(ctx, login, c) {
				what := "where its new value goes" + o.because(login)
				if i == 0 {
					what = "what Rollcall stages" + o.because(login) + ": take that right from it first"
				}
				return o.awaiting(ctx, c, within("a login to Vault of the roll ("+o.told(login)+") that is not dead yet, or batch tokens or orphans of one, could read "+what))
			}
		}
	}
	if which := o.notAsked(ctx, c, func(credential.Credential) bool { return true }); which != "" {
		return o.awaiting(ctx, c, within("a login to Vault of the roll is not dead yet, and what it could read cannot be found out (its own reason says what is the matter with it): "+which))
	}
	return nil
}

// open reports whether somebody who had a login may still read with it. c is
// retired by now; of itself nothing is left but what outlasts that.
func (o *Reach) open(ctx context.Context, login, c credential.Credential) bool {
	if login.ID == c.ID {
		return o.stays[login.ID].Tokens
	}
	closed, _, err := o.of.closed(ctx, o.campaign, login)
	return err != nil || !closed
}

// because says by what right a login reads, in brackets, where that is not the
// plain one. It names no policy and no account.
func (o *Reach) because(login credential.Credential) string {
	if how := o.how(login, ""); how != "" {
		return " (" + how + ")"
	}
	return ""
}

func (o *Reach) how(login credential.Credential, plain string) string {
	by := o.rises[login.ID]
	in := func(prefix string) bool { return strings.HasPrefix(by, prefix) }
	switch {
	case by == "":
		return plain
	case in("sys/polic"):
		return "it may write a policy, and so give itself any right"
	case in("sys/audit"):
		return "it may write audit devices (sys/audit/), to which Vault shows each value as it is written"
	case in("sys/remount"), in("sys/mounts"):
		return "it may write or move mounts (sys/mounts/, sys/remount), and so have a secret where it may read"
	case in("sys/storage"), in("sys/raw"):
		return "it may read or write Vault's storage (sys/storage/, sys/raw/)"
	case in("identity/"):
		return "it may write entities or groups (identity/), and so give itself any policy"
	case in("auth/token/"):
		return "it may make tokens with other policies than its own (auth/token/)"
	case in("sys/"):
		return "it may write below sys/, and so make itself a login with any policy"
	}
	return "it may write to roles, users or the configuration of an auth mount, their secret-ids and passwords among them, and so give itself any policy or be another login"
}

func notBegunFor(why string) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonWithinReach, Detail: why + notBegunEnd}
}

const notBegunEnd = "; nothing was changed: its old value is good until that is settled, or a person accepts the login by name (rollcall accept-open)"

func within(why string) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonWithinReach, Detail: why + "; the new value is not written there before that login is dead, or a person accepts it by name (rollcall accept-open)"}
}
