// Package inventory makes the roll: it asks every source of a campaign for the
// credentials that tie to the device, finds out which account each one means,
// and merges them by immutable id so that every credential is listed once with
// all the evidence for it. Nothing that a source found is dropped silently:
// what cannot be rotated stays on the roll with its problem.
//
// Listing reads and never writes, so a crash leaves nothing behind and doing it
// again is safe.
package inventory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
)

// List asks all sources and merges what they found into the roll of a
// campaign. now becomes Roll.ListedAt.
//
// One source or lookup that fails fails the whole listing: a roll with a hole
// in it would let a stolen credential live. The error names the source, the
// place and what to do; mistakes in manifests are *config.Errors with lines.
// Listing again after an error is always safe.
func List(ctx context.Context, c *config.Campaign, at Authorities, v Vault, campaign string, now time.Time) (*credential.Roll, []Warning, error) {
	l := newLister(ctx, c, at, v)
	defer l.end()
	ctx = l.ctx
	if err := l.check(); err != nil {
		return nil, nil, err
	}
	l.taken = &credential.Containment{Named: deviceHosts(ctx, c)}
	if err := l.readOthers(ctx); err != nil {
		return nil, nil, err
	}
	if err := l.gather(ctx, campaign); err != nil {
		return nil, nil, err
	}
	roll, warnings, err := l.merged(ctx)
	if err != nil {
		return nil, nil, err
	}
	l.addTasks(roll, now)
	if err := l.lookAtTaskPlaces(ctx, roll); err != nil {
		return nil, nil, err
	}
	sharedWithTasks(roll)
	l.sayUnmatched(roll)
	l.sayTokens(roll)
	if err := l.lookAtRoll(ctx, roll); err != nil {
		return nil, nil, err
	}
	l.past.diedBefore(roll.Credentials)
	l.forgetGuessedFields(roll)
	roll.Containment = &credential.Containment{Others: l.taken.Others}
	roll.TokensEnded = l.past.ended
	roll.Unlike = slices.Compact(slices.Sorted(slices.Values(l.past.unlike)))
	roll.Campaign, roll.Device, roll.ListedAt = campaign, c.Device, now.UTC()
	signed(roll, c.Sources)
	if c.First != nil && len(roll.Credentials) > 0 {
		if err := goFirst(roll, *c.First); err != nil {
			return nil, nil, err
		}
	}
	warnings = append(warnings, l.warnings...)
	if len(roll.Credentials) == 0 {
		warnings = append(warnings, Warning{Code: credential.FindingEmptyRoll, Detail: "no source found a credential of the device: check the sources, nothing was rotated"})
	}
	roll.Warnings = sortWarnings(warnings)
	return roll, roll.Warnings, nil
}

// gather asks the sources, and adds what no source names: Rollcall's own
// logins, and what earlier campaigns left.
func (l *lister) gather(ctx context.Context, campaign string) error {
	// Manifests first: their mistakes cost no time on any server.
	if err := l.collectAll(ctx, true); err != nil {
		return err
	}
	l.prose = l.proseOf()
	l.warmTokens()
	// Before accounts are read, for their names at these mounts are read with
	// them.
	if err := l.ldapMounts(ctx); err != nil {
		return err
	}
	if err := l.engineUses(ctx); err != nil {
		return err
	}
	// Before tokens are taken by description.
	if err := l.readEarlier(ctx, campaign); err != nil {
		return err
	}
	if err := l.collectAll(ctx, false); err != nil {
		return err
	}
	if err := l.addOwn(ctx); err != nil {
		return err
	}
	if err := l.cutPaths(ctx); err != nil {
		return err
	}
	return l.readNamed(ctx)
}

// merged looks up whom the candidates mean, and makes the roll of them.
func (l *lister) merged(ctx context.Context) (*credential.Roll, []Warning, error) {
	known, err := l.resolve(ctx)
	if err != nil {
		return nil, nil, err
	}
	l.forgetUnknown(known)
	l.known = known
	if err := l.lookForPasswords(ctx, known); err != nil {
		return nil, nil, err
	}
	l.secretsNotShown(known)
	if err := l.lookForPassThrough(ctx); err != nil {
		return nil, nil, err
	}
	parts, err := l.findParts(ctx)
	if err != nil {
		return nil, nil, err
	}
	own, err := l.findOwnIdentities(ctx, known)
	if err != nil {
		return nil, nil, err
	}
	if err := l.addActivated(ctx, known); err != nil {
		return nil, nil, err
	}
	users, err := l.everyUser(ctx)
	if err != nil {
		return nil, nil, err
	}
	mounts, err := l.templateMounts(ctx)
	if err != nil {
		return nil, nil, err
	}
	rest := unfound{mounts: mounts, parts: parts, hints: l.hints, placed: l.placed, past: l.past, users: users, tasks: len(l.allTasks()) > 0, rows: l.tasksFields(), confirmed: l.besideConfirmed, held: &l.held, doorUses: l.doorUses}
	roll, warnings, err := l.mergedWith(ctx, known, own, rest)
	if err != nil {
		return nil, nil, err
	}
	more, err := l.sameElsewhere(ctx, roll, own)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := l.tokensOfLogins(ctx, roll)
	if err != nil || !more && !tokens {
		return roll, warnings, err
	}
	return l.mergedWith(ctx, known, own, rest)
}

// mergedWith adds what the servers and Vault show around the accounts that the
// candidates mean.
func (l *lister) mergedWith(ctx context.Context, known accounts, own ownIdentities, lost unfound) (*credential.Roll, []Warning, error) {
	resets, err := l.whoResets(ctx, known)
	if err != nil {
		return nil, nil, err
	}
	around, err := l.lookAround(ctx, known)
	if err != nil {
		return nil, nil, err
	}
	logins, err := l.logins(ctx, known)
	if err != nil {
		return nil, nil, err
	}
	if err := l.keptByEngines(ctx); err != nil {
		return nil, nil, err
	}
	elsewhere, err := l.bindElsewhere(ctx, around)
	if err != nil {
		return nil, nil, err
	}
	lost.resets, lost.around, lost.logins, lost.uses = resets, around, logins, slices.Concat(l.uses, elsewhere)
	return mergeAll(l.withoutTasks(), l.withoutTasksPlaces(), known, own, lost)
}

// lookAtRoll looks at what will be rotated: the limits of logins, the places in
// Vault, and by which other ways the device could get in.
func (l *lister) lookAtRoll(ctx context.Context, roll *credential.Roll) error {
	if err := l.sayUnnamed(ctx, roll); err != nil {
		return err
	}
	if err := l.sayOtherDevices(ctx, roll); err != nil {
		return err
	}
	l.provedOnSome(roll)
	if err := l.lookAtLogins(ctx, roll); err != nil {
		return err
	}
	if err := l.enterprise(ctx, roll); err != nil {
		return err
	}
	if err := l.look(ctx, roll); err != nil {
		return err
	}
	if err := l.otherWays(ctx, roll); err != nil {
		return err
	}
	if err := l.otherReaders(ctx, roll); err != nil {
		return err
	}
	if err := l.tellOlder(ctx, roll); err != nil {
		return err
	}
	return l.couldHaveMade(ctx, roll)
}

func (l *lister) lookAtLogins(ctx context.Context, roll *credential.Roll) error {
	for i := range roll.Credentials {
		c := &roll.Credentials[i]
		if l.givesBatch(c) {
			c.Batch = true
			roll.Findings[c.ID] = append(roll.Findings[c.ID], credential.Finding{Code: credential.FindingBatchTokens,
				Detail: "it logs in to Vault through an auth mount that gives batch tokens, which nobody can revoke: those that somebody has live until they expire"})
		}
		if c.Subject == "" || !c.Kind.OpensVault() || c.Problem == credential.SameName {
			continue
		}
		found, err := methodLooks[c.Kind.Traits().Login.Method].limits(l, ctx, c)
		if err != nil {
			return &naming{fmt.Errorf("login to Vault %s: %w", c.Name, err), "a login to Vault cannot be read"}
		}
		if len(found) > 0 {
			roll.Findings[c.ID] = append(roll.Findings[c.ID], found...)
		}
	}
	return nil
}
