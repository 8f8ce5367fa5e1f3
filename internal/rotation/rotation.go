// Package rotation carries one credential through the steps of the protocol.
// It looks, asks internal/protocol what comes next, does that, and looks again;
// it keeps nothing between calls, so a process that dies anywhere is
// continued by any other.
//
// The ledger stands between the three calls: Prepare stages a value, then the
// intent is recorded, then Apply sets, activates and proves, then the outcome
// is recorded, then Clean destroys what is dead.
package rotation

import (
	"context"
	"sync"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation/gate"
	"rollcall/internal/rotation/steady"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Store is what a rotation needs of Vault. *ownmount.Store is the real one.
type Store interface {
	Stage(ctx context.Context, id string, s ownmount.Staged) (got ownmount.Staged, created bool, err error)
	ReadStaged(ctx context.Context, id string) (ownmount.Staged, bool, error)
	Restage(ctx context.Context, id string, next ownmount.Staged) (ownmount.Staged, error)
	Unstage(ctx context.Context, id, campaign string, attempt int) error
	Release(ctx context.Context, id string) error
	ReadLive(ctx context.Context, p credential.Path, version int) (vault.Live, error)
	Activate(ctx context.Context, p credential.Path, from vault.Live, value credential.Secret, owner string) (vault.Live, error)
	Destroy(ctx context.Context, p credential.Path, versions []int, activated int, written time.Time) (current bool, err error)
	Versions(ctx context.Context, p credential.Path) (vault.Versions, error)
	SinceActivated(ctx context.Context, id string, p credential.Path, live vault.Live) (ownmount.Since, error)
	HeldSince(ctx context.Context, was ownmount.Placed, live vault.Live) (bool, error)
	Carried(ctx context.Context, was ownmount.Placed) (ownmount.Placed, error)
	// Keeping is what Vault does by itself with what is written, by the
	// settings of a secret and its mount; MountKeeping by those of the mount
	// alone, which cost next to nothing.
	Keeping(ctx context.Context, p credential.Path) (vault.Keeping, error)
	MountKeeping(ctx context.Context, p credential.Path) (vault.Keeping, error)
	CampaignReleased(ctx context.Context, campaign string) (released bool, until time.Time, err error)
	// ServerTime is Vault's clock, if it says.
	ServerTime(ctx context.Context) (now time.Time, said bool)
}

// Rotator rotates credentials of one authority for one campaign. It is safe
// for concurrent use with different credentials; with the same credential, by
// a slow twin, the check-and-set of Vault decides.
type Rotator struct {
	Store     Store
	Authority kind.Authority
	Campaign  string
	// Pass of the campaign over the credential: 1, 2, … A value that is staged
	// in it is attempt number Pass, so that no attempt's number comes twice
	// even when what an earlier pass staged is gone.
	Pass int
	Now  func() time.Time
	// LeftOut are servers that a person took out of the campaign: prove does
	// not ask them. The write server is asked whatever it says.
	LeftOut []string
	// DoorsLeftOut are doors of which that is so: AskDoors does not ask them.
	DoorsLeftOut []string

	// Cache carries what Prepare saw to Apply, and what Apply proved to Clean.
	// Nil: they look for themselves.
	Cache *PreparedCache

	// Listed is when the paths of the roll were looked at with the settings of
	// each secret; zero if that is not known.
	Listed time.Time

	// Retried: Apply was begun before, by a process that was killed, perhaps
	// after it had sent the staged value and before it could say so.
	Retried bool

	// Unheard are credentials, by ID, of which that is so in an earlier pass:
	// the activity that had them ended without an answer.
	Unheard map[string]bool

	// BeforeSet says why a credential is not set that is not in force already,
	// or is nil: the compromised device is back, or a login to Vault was found
	// that could read it. Nil: nobody looks.
	BeforeSet func(context.Context, credential.Credential) *protocol.Stop

	// Activated is told of a credential, perhaps several times, as soon as
	// every path of it that takes part has the new value. Nil: nobody waits for
	// it.
	Activated func(c credential.Credential, at wire.Applied)

	// Again: Clean may have been tried before, here or by another process.
	Again bool

	// Gate keeps a value from being set that Vault would not take. Slots is how
	// many credentials of the authority may be between Set and the proof at
	// once.
	Gate  *gate.Gate
	Slots int
	// Brake keeps a value from being set where one that was set does not work.
	Brake *gate.Brake
	// Doubts are the servers that contradicted themselves in this campaign:
	// prove proves nothing on them. Nil: Steady forgets.
	Doubts *steady.Doubts

	// Refusals are the new values that doors have refused in this campaign.
	// Nil: they are forgotten with each pass.
	Refusals *Refusals

	// StillOpen reports whether the campaign was seen open a few seconds ago.
	// Nil, or false, means that nobody knows.
	StillOpen func(context.Context) bool

	// Unlisted says why a value that another campaign left staged is not taken
	// over, or is nil: it was meant for a path that this roll has not. Nil:
	// nobody looks.
	Unlisted func(ctx context.Context, c credential.Credential, left ownmount.Staged) *protocol.Stop

	// Hindering is why accounts of the authority must not be set now, by
	// credential id, besides what each shows itself. It is asked for each, and
	// looks once for many. Nil: nobody looks.
	Hindering func(context.Context) (map[string][]credential.Problem, error)

	// CannotCarry names a door of a credential at which no login can carry a
	// value, and says why; empty where there is none. Nil: nobody asks.
	CannotCarry func(c credential.Credential, value credential.Secret) (door, why string)

	// Device are the hosts of the compromised device, and of others that were
	// in foreign hands, in lower case: no secret that takes a new value may
	// lead there.
	Device []string

	// LeadsKey is the key with which the roll tells hosts (vault.Leads.Digest).
	// Nil: an earlier version made the roll, or it has none.
	LeadsKey []byte

	// Reach guards what opens Vault. Nil: nobody else's login is open.
	Reach Reach

	// Behind remembers which servers do not follow. Nil: a credential waits for
	// its replicas itself, in Apply. Otherwise Apply leaves those that some
	// replica keeps from their proof, and who calls it waits for all of them
	// together (Following) and has each go on (GoOn).
	Behind *Behind

	looked       lookedUp
	slow         sync.Map // replicas that lag beyond patience: not waited for again
	unresponsive unresponsive
}

// Prepared is what Prepare learned.
type Prepared struct {
	wire.Prepared
	// Elsewhere are paths that are not on this roll, at which an ended campaign
	// has activated its value. They do not travel.
	Elsewhere []ownmount.Placed
}

// keptOpen is a credential of which nothing was changed.
func keptOpen(step protocol.Step, stop *protocol.Stop) Prepared {
	return Prepared{Prepared: wire.Prepared{Step: step, Stop: stop}}
}

// Applied is what Apply reached.
type Applied struct {
	wire.Applied

	// Late: a reset of it may still arrive, so that its staging entry is not
	// simply deleted. Like the rest it does not travel.
	Late  bool
	sight sight
	at    atDoors
	left  *job // waits for a replica
}

func (r *Rotator) writeServer() string { return r.Authority.Servers()[0] }

// stopOf is why an account that is not in order keeps its credential open.
func stopOf(account kind.Account, server string) *protocol.Stop {
	return protocol.StopFor(account.State, server).LockedUntil(account.LockedUntil)
}

func withServer(s *protocol.Stop, server string) *protocol.Stop {
	if s.Server == "" && s.Reason != protocol.ReasonInternal && s.Reason != protocol.ReasonOtherOwner {
		s.Server = server
	}
	return s
}
