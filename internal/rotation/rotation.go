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
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
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
	// Keeping is what Vault does by itself with what is written, by the
	// settings of a secret and its mount; MountKeeping by those of the mount
	// alone, which cost next to nothing.
	Keeping(ctx context.Context, p credential.Path) (vault.Keeping, error)
	MountKeeping(ctx context.Context, p credential.Path) (vault.Keeping, error)
	CampaignClosed(ctx context.Context, campaign string) (closed bool, until time.Time, err error)
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

	// Cache carries what Prepare saw to Apply, and what Apply proved to Clean.
	// Nil: they look for themselves.
	Cache *PreparedCache

	// Listed is when the paths of the roll were looked at with the settings of
	// each secret; zero if that is not known.
	Listed time.Time

	// Again: Clean may have been tried before, here or by another process.
	Again bool

	// Gate keeps a value from being set that Vault would not take. Slots is how
	// many credentials of the authority may be between Set and the proof at
	// once.
	Gate  *Gate
	Slots int
	// Brake keeps a value from being set where one that was set does not work.
	Brake *Brake
	// Doubts are the servers that contradicted themselves in this campaign:
	// prove proves nothing on them. Nil: Steady forgets.
	Doubts *Doubts

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

	// Reach guards what opens Vault. Nil: nobody else's login is open.
	Reach Reach

	looked       lookedUp
	slow         sync.Map // replicas that lag beyond patience: not waited for again
	unresponsive unresponsive
}

// Prepared is what Prepare learned. It travels through Temporal: no names, no
// values.
type Prepared struct {
	// Attempt of the staged value.
	Attempt int `json:"attempt"`
	// Fresh: no server can have seen the staged value yet.
	Fresh bool `json:"fresh,omitempty"`
	// From are the versions in force before, in the order of Credential.Paths,
	// and then of Credential.Spare if that takes part.
	From []int `json:"from"`
	// Stop keeps the credential open at Precheck or Stage; nothing was changed.
	Stop *protocol.Stop `json:"stop,omitempty"`
	Step protocol.Step  `json:"step,omitempty"`
	// Elsewhere are paths that are not on this roll, at which an ended campaign
	// has activated its value. They do not travel.
	Elsewhere []ownmount.Placed `json:"-"`
}

// Applied is what Apply reached. It travels through Temporal: no names, no
// values.
type Applied struct {
	Attempt  int                 `json:"attempt"`
	Proof    protocol.Proof      `json:"proof,omitempty"` // set when dead
	Evidence []protocol.Evidence `json:"evidence,omitempty"`
	SetAt    time.Time           `json:"set_at,omitzero"`
	From     []int               `json:"from,omitempty"`
	// To are the activated versions, in the order of From; 0 for a path that
	// was left as it is.
	To []int `json:"to,omitempty"`
	// Written is when Vault wrote each of To, and Doomed the versions that may
	// be destroyed once the outcome is recorded.
	Written  []time.Time          `json:"written,omitempty"`
	Doomed   [][]int              `json:"doomed,omitempty"`
	Findings []credential.Finding `json:"findings,omitempty"`
	// LeftOut are the servers that were not asked, because a person had left
	// them out.
	LeftOut []string `json:"left_out,omitempty"`

	// Stop and Step say why and where it stays open.
	Stop *protocol.Stop `json:"stop,omitempty"`
	Step protocol.Step  `json:"step,omitempty"`

	sight sight
}

// Dead reports whether the old value is proved dead.
func (a Applied) Dead() bool { return a.Proof != "" && a.Stop == nil }

// ToClean is what Clean needs of it.
func (a Applied) ToClean() Dead {
	return Dead{Attempt: a.Attempt, To: a.To, Written: a.Written, Doomed: a.Doomed}
}

func (r *Rotator) writeServer() string { return r.Authority.Servers()[0] }
