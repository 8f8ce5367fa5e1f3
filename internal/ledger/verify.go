package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"rollcall/internal/plural"
	"rollcall/internal/protocol"
)

// Report is what Verify found. No Problems means: the files are exactly what
// the key signed, and they tell a campaign without gaps.
type Report struct {
	Campaign    string    `json:"campaign"`
	Origin      string    `json:"origin"`
	VerifierKey string    `json:"verifier_key"`
	KeySource   string    `json:"key_source"` // for people: what the key's origin lets the check prove
	Size        uint64    `json:"size"`       // entries that the checkpoint signs
	Root        tlog.Hash `json:"root"`
	Checkpoint  string    `json:"-"`                  // the signed text that says both; empty where there is none to go by
	Anchored    uint64    `json:"anchored,omitempty"` // size of the newest anchored checkpoint that was compared; 0 without one
	Anchors     int       `json:"anchors,omitempty"`  // anchored checkpoints that were given
	Closed      bool      `json:"closed"`             // the campaign is over
	// Device of which it is the ledger of evidence; empty of a campaign's.
	Device string `json:"evidence_of,omitempty"`

	Profile *VerifiedProfile `json:"profile,omitempty"` // of the device, as the ledger names it; absent where it names none

	Readings []VerifiedReading `json:"readings,omitempty"` // of logs

	Problems []Problem        `json:"problems"`
	More     int              `json:"more_problems,omitempty"` // beyond those that Problems lists
	Open     []OpenCredential `json:"open"`                    // listed and not brought to an end; problems too once the campaign is closed
}

// VerifiedProfile is the profile that a ledger names. ThisBuild compares it
// with the one of that name in the program that verifies: same, differs or
// none. Whoever has the profiles says it; it is no fault of the ledger.
type VerifiedProfile struct {
	Name      string `json:"name"`
	Reviewed  string `json:"reviewed"`
	SHA256    string `json:"sha256"`
	ThisBuild string `json:"this_build,omitempty"`
}

// VerifiedReading is a reading of logs that a ledger has. Whoever has the file
// can compare its digest.
type VerifiedReading struct {
	ID          string `json:"id"`
	SHA256      string `json:"sha256,omitempty"` // of what `rollcall evidence -o json` wrote; empty of one that follows logs
	Roll        string `json:"roll,omitempty"`   // campaign against whose roll logs are followed
	Logs        int    `json:"logs"`
	Signs       int    `json:"signs"`
	Credentials int    `json:"credentials"`
	// NeverEnded: whoever wrote it did not come to its end, or has not yet, so
	// some of it may be missing. Began is when the ledger was told of it.
	NeverEnded bool      `json:"never_ended,omitempty"`
	Began      time.Time `json:"began,omitzero"`
}

// Problem is one thing that should not be.
type Problem struct {
	Index      int64  `json:"index"` // of the entry, or of the first of a range; -1 when it is about no single one
	Credential string `json:"credential,omitempty"`
	What       string `json:"what"`
}

// OpenCredential is a listed credential without an end.
type OpenCredential struct {
	Credential string          `json:"credential"`
	Name       string          `json:"name"`
	Step       protocol.Step   `json:"step,omitempty"`
	Reason     protocol.Reason `json:"reason,omitempty"`
	Since      time.Time       `json:"since"`
}

// Where the key came from.
const (
	KeyGiven      = "key given"
	KeyFromLedger = "key taken from the ledger itself: proves consistency, not origin"
)

const (
	noIndex     = -1
	maxProblems = 1000 // a ledger that was replaced as a whole would list every entry
)

func (r *Report) add(index int64, cred, format string, args ...any) {
	if len(r.Problems) == maxProblems {
		r.More++
		return
	}
	r.Problems = append(r.Problems, Problem{Index: index, Credential: cred, What: fmt.Sprintf(format, args...)})
}

// OK reports whether nothing was found.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// Verify checks a ledger offline, from its files and the public key. It hashes
// every entry anew with golang.org/x/mod/sumdb/tlog, which shares no code
// with the writer. It changes nothing and may run beside a writer.
//
// verifierKey is the key as note.NewVerifier takes it. If empty, the one that
// lies beside the log is used; Report.KeySource says what that is worth.
// anchored are the checkpoints that were kept outside the folder, one after the
// other, or nil: without one nobody can tell a truncated log from a younger
// one. The log must agree with each: whoever has the signing right can sign
// another history, and not take back what was kept of this one.
//
// The error is for a folder that holds no ledger, a key that is none, and a key
// or checkpoint of another campaign than the folder is of.
// Whatever is wrong with a ledger is in Report.Problems.
func Verify(ctx context.Context, dir, verifierKey string, anchored []byte) (Report, error) {
	rep, _, err := VerifyState(ctx, dir, verifierKey, anchored)
	return rep, err
}

// VerifyState is Verify, which has to know what the entries come to, and gives
// that as well, packed (NewPackedState) or not; nil where anything is wrong
// with them.
func VerifyState(ctx context.Context, dir, verifierKey string, anchored []byte) (Report, *State, error) {
	rep := Report{VerifierKey: verifierKey, KeySource: KeyGiven, Problems: []Problem{}, Open: []OpenCredential{}}
	a, err := readAbout(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && verifierKey == "":
		return rep, nil, fmt.Errorf("%s holds no ledger: it has no %s", dir, aboutFile)
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(dir); err != nil {
			return rep, nil, fmt.Errorf("no ledger: %w", err)
		}
		rep.add(noIndex, "", "%s is missing", aboutFile)
	case err != nil && verifierKey == "":
		return rep, nil, err
	case err != nil:
		rep.add(noIndex, "", "%v", err)
	case verifierKey == "":
		rep.VerifierKey, rep.KeySource = a.VerifierKey, KeyFromLedger
	case a.VerifierKey != verifierKey:
		rep.add(noIndex, "", "%s names another public key: %s", aboutFile, a.VerifierKey)
	}
	v, err := note.NewVerifier(rep.VerifierKey)
	if err != nil {
		return rep, nil, fmt.Errorf("public key %q: %w", rep.VerifierKey, err)
	}
	rep.Origin, rep.Campaign = v.Name(), strings.TrimPrefix(v.Name(), Origin(""))
	if err := ofAnother(dir, v.Name(), a, anchored); err != nil {
		return rep, nil, err
	}

	cp, kept, ok := checkpoints(&rep, dir, v, anchored)
	if !ok {
		return rep, nil, nil
	}
	rep.Size, rep.Root, rep.Checkpoint = cp.Size, cp.Root, string(cp.Raw)
	if rep.OK() {
		once := rep
		if state, err := verifyQuick(ctx, &once, dir, cp, kept); state != nil || err != nil {
			return once, state, err
		}
	}
	state, err := verifyLong(ctx, &rep, dir, cp, kept)
	return rep, state, err
}

// verifyLong reads a ledger and keeps what it takes to say what is wrong with
// it. It gives the state of one that verifies.
func verifyLong(ctx context.Context, rep *Report, dir string, cp Checkpoint, kept []Checkpoint) (*State, error) {
	story := newAudit(rep)
	tree, err := rebuild(ctx, rep, dir, cp, story)
	if err != nil {
		return nil, err
	}
	for _, k := range kept {
		if k.Size > cp.Size {
			continue // said already
		}
		if root, err := tlog.TreeHash(int64(k.Size), tree); err != nil || root != k.Root {
			rep.add(noIndex, "", "the ledger was rewritten: its first %s are not those that the anchored checkpoint signs", plural.Count(k.Size, "entry", "entries"))
		}
	}
	if story.finish(); len(rep.Problems) > 0 {
		return nil, nil
	}
	return story.state, nil
}

// KeyName is of which log a public key is, with the hash that tells it from
// another one of that name.
func KeyName(verifierKey string) string {
	name, rest, _ := strings.Cut(verifierKey, "+")
	hash, _, _ := strings.Cut(rest, "+")
	return strings.TrimPrefix(name, Origin("")) + " (" + hash + ")"
}

// ofAnother refuses what was kept of another campaign: held against this ledger
// it would tell of a history that was rewritten.
func ofAnother(dir, origin string, a about, anchored []byte) error {
	campaign := func(origin string) string { return strings.TrimPrefix(origin, Origin("")) }
	if is, _, ok := strings.Cut(a.VerifierKey, "+"); ok && is == a.Origin && is != origin {
		return fmt.Errorf("the public key is of campaign %s, and %s says that it is the ledger of %s: nothing was checked; `rollcall ledger key %[3]s` gives its key. If the folder should be that of %[1]s, it was replaced", campaign(origin), dir, campaign(is))
	}
	for _, raw := range splitCheckpoints(anchored) {
		is, _, _ := strings.Cut(string(raw), "\n")
		if _, err := note.NewVerifier(strings.TrimSpace(is)); err == nil {
			return fmt.Errorf("the anchor that was given is a public key, that of %s: nothing was checked; it goes with --key, and `rollcall ledger anchor %s` prints checkpoints", KeyName(is), campaign(origin))
		}
		if strings.HasPrefix(is, Origin("")) && is != origin {
			return fmt.Errorf("the anchored checkpoint is of campaign %s, and %s is held to be the ledger of %s: nothing was checked; `rollcall ledger anchor %[3]s` gives its own", campaign(is), dir, campaign(origin))
		}
	}
	return nil
}

// checkpoints opens the folder's checkpoint and the anchored ones (kept), the
// newest first. If the folder's is of no use, the newest anchored one takes its
// place. ok is false when there is none to go by.
func checkpoints(rep *Report, dir string, v note.Verifier, anchored []byte) (cp Checkpoint, kept []Checkpoint, ok bool) {
	given := splitCheckpoints(anchored)
	rep.Anchors = len(given)
	for _, raw := range given {
		k, err := openCheckpoint(raw, v)
		if err != nil {
			rep.add(noIndex, "", "the anchored checkpoint: %v", err)
			continue
		}
		kept = append(kept, k)
	}
	slices.SortStableFunc(kept, func(a, b Checkpoint) int { return cmp.Compare(b.Size, a.Size) })
	var newest Checkpoint
	if len(kept) > 0 {
		newest = kept[0]
		rep.Anchored = newest.Size
	}
	raw, err := os.ReadFile(filepath.Join(dir, checkpointFile))
	if err == nil {
		cp, err = openCheckpoint(raw, v)
	}
	if err != nil {
		rep.add(noIndex, "", "the ledger's checkpoint cannot be trusted: %v", err)
		return newest, kept, newest.Raw != nil
	}
	if newest.Size > cp.Size {
		rep.add(noIndex, "", "the ledger was truncated: the anchored checkpoint signs %s, the ledger's own %d", plural.Count(newest.Size, "entry", "entries"), cp.Size)
	}
	return cp, kept, true
}
