package ownmount

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// Staged is a new value between its making and the proof that the old one is
// dead. Its entry is also the lock on the credential: whoever created it owns
// the rotation until Unstage.
type Staged struct {
	Secret   credential.Secret
	Campaign string // the owner
	Attempt  int    // 1, 2, …: another value each

	// Base holds, by live path (credential.Path.String), the version that was
	// in force before the rotation. 0: the path did not exist.
	Base map[string]int

	// Old holds, by live path, the value that was in force before the rotation;
	// a path that Vault did not have is missing. It is kept here until the
	// proof, so that no clean-up of the live path, ours for a sibling field or
	// its max_versions, can take the stolen value from the proof.
	Old map[string]credential.Secret

	// Places says, by live path, which part a path takes that is not the usual
	// one: see the constants. It is written before Set, so a path that is
	// missing was seen to hold the account's value, or nothing at all.
	Places map[string]string

	// Doomed are versions of live paths, from before Base, that are destroyed
	// once the proof is there: their values were seen to be the account's, or
	// were ours.
	Doomed map[string][]int

	// PolicyRefused: the authority refused this value by policy.
	PolicyRefused bool

	// Outlived is how many attempts before this one were replaced because the
	// old value outlived its retirement.
	Outlived int

	// Unsent: no server has this value. It was never sent, or every Set of it
	// was clearly refused. Offering it would be a wrong login for nothing. A
	// value is marked as sent, with check-and-set, before it is sent.
	Unsent bool

	// Refused: when a pass ended, the write server had refused this value after
	// it was last sent, or it was not sent yet. It is gone by only where no
	// wrong login is left to ask again, for unlike Unsent it is not beyond
	// doubt, and is forgotten once the value is seen to work.
	Refused bool

	// Asked: old values were offered before Set and none logged in. They are
	// not offered again before Set, because wrong logins add up to a lock, and
	// their refusal after it proves nothing. Changed is what that showed, if
	// anything.
	Asked   bool
	Changed credential.FindingCode

	// Retired is the write server's change mark after it refused the old values
	// for the first time, if another server kept the credential open then. As
	// long as the mark is that one there is nothing to retire again.
	Retired string

	// Before is the account's change mark when this value was staged; empty if
	// not known.
	Before string

	// Closed: what the old value minted is dead, and nothing else logs in but
	// this value. It is said of logins to Vault, for the sake of others whose
	// places they could read.
	Closed bool

	// LivesOn is what of a login to Vault lives on after it was retired, if
	// anything: a later pass that has nothing to retire still tells it.
	LivesOn credential.FindingCode

	// Found is what was found of this rotation by doing something, which no
	// later look finds again: whoever comes after a process that was killed
	// before it could say so tells it.
	Found []credential.Finding

	CreatedAt time.Time // UTC

	// Late is when this value was last sent without an answer, nor was each
	// that was sent seen to have arrived: it may still do so, for LateFor. It
	// is by the clock of who sent it, and Noted by Vault's, of when it wrote
	// this version; zero in what was not read from Vault.
	Late, Noted time.Time

	// Freed: the old value was proved dead, and the entry stays for Late alone.
	// It holds no value.
	Freed bool

	// Handed is who may have read the value of a task, by entity: it is noted
	// before anybody gets it. Spoiled says why it is handed over to nobody any
	// more, as far as the campaign Looked saw. Instead is why this one stands
	// in the place of one that an ended campaign handed over, and Renewals how
	// often a person of this campaign said that the value is not to be used.
	Handed   []string
	Spoiled  string
	Looked   string
	Instead  string
	Renewals int

	// Version is the KV version of the entry, the fence for Restage.
	Version int
}

// Parts in Staged.Places.
const (
	// PlaceApart: nothing is written there.
	PlaceApart = "apart"
	// PlaceUnset is of a value that an ended campaign had staged: the account
	// was as before when it was taken over, so no server has it.
	PlaceUnset = "unset"
	// PlaceKept: it is written, and what it held is not destroyed: a person
	// named it, or we made it, but the account was not seen to accept its
	// value. Of what a path held before an ended campaign: that one had
	// decided that the path takes part.
	PlaceKept = "kept"
	// PlaceSeen: the account accepted what it held, before a Set after which
	// the new value was not seen to work. Without a word it would be so too,
	// once the new value is in force; where somebody has set another one,
	// nothing else shows it any more.
	PlaceSeen = "seen"
)

const (
	stagingFolder = "staging"
	opStage       = "stage a new value"
	opReadStaged  = "read a staged value"
	opUnstage     = "delete a staged value"
	maxStageTries = 5
)

// Stage writes a new value for a credential that has none staged. created is
// true only if this very call's write was answered, so that no server can have
// seen the value. Otherwise got is what was there before: the caller's own from
// a lost reply, an earlier attempt, another campaign's, or one that is Freed.
// s.Version is ignored. On an error of kind Unreachable the value may be
// staged: call again.
func (s *Store) Stage(ctx context.Context, id string, st Staged) (got Staged, created bool, err error) {
	// The entry can go between the refused write and the read; then it is free
	// again.
	for range maxStageTries {
		v, err := s.Put(ctx, opStage, s.mount, s.stagingPath(id), 0, st.encode())
		if err == nil {
			st.Version = v
			return st, true, nil
		}
		if !vault.IsCASMismatch(err) {
			return Staged{}, false, err
		}
		got, found, err := s.readStaged(ctx, id)
		if err != nil || found {
			return got, false, err
		}
	}
	return Staged{}, false, &vault.Error{Op: opStage, Path: s.mount + "/data/" + s.stagingPath(id), Server: s.Address(), Kind: vault.CASMismatch,
		Detail: "the entry has no current version and yet refuses a first one; if somebody deleted its data by hand, delete its metadata too"}
}

// ReadStaged reads what is staged for a credential; false if nothing is, or
// nothing any more.
func (s *Store) ReadStaged(ctx context.Context, id string) (Staged, bool, error) {
	st, found, err := s.readStaged(ctx, id)
	if st.Freed {
		return Staged{}, false, nil
	}
	return st, found, err
}

func (s *Store) readStaged(ctx context.Context, id string) (Staged, bool, error) {
	e, err := s.Get(ctx, opReadStaged, s.mount, s.stagingPath(id), 0)
	if err != nil || e.Data == nil {
		return Staged{}, false, err
	}
	st, err := decodeStaged(e)
	if err != nil {
		return Staged{}, false, s.Odd(opReadStaged, s.mount+"/data/"+s.stagingPath(id), err)
	}
	return st, true, nil
}

// Restage replaces what is staged, if it is still at next.Version: another
// attempt, one of the marks, or the take-over from a closed campaign. It
// returns next at its new version. On IsCASMismatch somebody else replaced it
// (or our own reply was lost): read it again.
func (s *Store) Restage(ctx context.Context, id string, next Staged) (Staged, error) {
	v, err := s.Put(ctx, "replace a staged value", s.mount, s.stagingPath(id), next.Version, next.encode())
	if err != nil {
		return Staged{}, err
	}
	next.Version, next.Noted = v, time.Time{}
	return next, nil
}

// OwnedBy reports whether this is what a campaign staged in an attempt. Attempt
// 0 stands for any: a campaign that an earlier version began does not say.
func (st Staged) OwnedBy(campaign string, attempt int) bool {
	return st.Campaign == campaign && (attempt == 0 || st.Attempt == attempt)
}

// Unstage deletes what a campaign staged in an attempt with all its versions,
// once the proof is in the ledger. Where a reset may still arrive, its time
// stays (Freed). Nothing staged is no error. If the entry is
// another campaign's, or another attempt's, a later rotation has begun: it is
// left alone and the error satisfies IsCASMismatch.
//
// Vault deletes without check-and-set, so a twin that is halted between this
// check and the delete can still hit a later rotation's entry; that rotation
// then finds its value gone and stages another one, as after any loss.
func (s *Store) Unstage(ctx context.Context, id, campaign string, attempt int) error {
	now, found, err := s.readStaged(ctx, id)
	if err != nil || !found {
		return err
	}
	if !now.OwnedBy(campaign, attempt) {
		if now.Freed {
			return nil
		}
		return &vault.Error{Op: opUnstage, Path: s.mount + "/data/" + s.stagingPath(id), Server: s.Address(), Kind: vault.CASMismatch}
	}
	left, stays := now.AfterProof(time.Now(), func() (time.Time, bool) { return s.ServerTime(ctx) })
	if !stays {
		return s.Purge(ctx, opUnstage, s.mount, s.stagingPath(id))
	}
	if !now.Freed {
		if left, err = s.Restage(ctx, id, left); err != nil {
			return err
		}
	}
	err = s.DestroyBefore(ctx, opUnstage, s.mount, s.stagingPath(id), left.Version)
	if !vault.IsDenied(err) {
		return err
	}
	// Policies of before there was such a thing.
	if err := s.Purge(ctx, opUnstage, s.mount, s.stagingPath(id)); err != nil {
		return err
	}
	_, err = s.Put(ctx, opUnstage, s.mount, s.stagingPath(id), 0, left.encode())
	if vault.IsCASMismatch(err) {
		return nil // somebody has begun
	}
	return err
}

// Release is Unstage without the look at the owner, at half its cost: for the
// process that itself proved the credential dead moments ago, so that nobody
// can have freed it since (rotation.PreparedCache.Proved), and that had an
// answer to each reset. Nothing staged is no
// error.
func (s *Store) Release(ctx context.Context, id string) error {
	return s.Purge(ctx, opUnstage, s.mount, s.stagingPath(id))
}

// ListStaged returns the IDs of all credentials under rotation, in no order.
func (s *Store) ListStaged(ctx context.Context) ([]string, error) {
	var ids []string
	folders := []string{stagingFolder + "/"}
	for len(folders) > 0 {
		folder := folders[0]
		folders = folders[1:]
		names, err := s.Names(ctx, "list staged values", s.mount, folder)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			if strings.HasSuffix(n, "/") {
				folders = append(folders, folder+n)
				continue
			}
			if id, ok := decodeID(strings.TrimPrefix(folder, stagingFolder+"/") + n); ok {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}

// StagingAPIPath is where Vault's API has what is staged for a credential.
func StagingAPIPath(mount, id string) string { return mount + "/data/" + stagingPath(id) }

// StagingPath is where our mount has it, for people.
func StagingPath(id string) string { return stagingPath(id) }

func stagingPath(id string) string { return stagingFolder + "/" + encodeID(id) }

// stagingPath is where this store has it: a rehearsal's has a folder of its
// own, for what it stages is no credential's.
func (s *Store) stagingPath(id string) string {
	if s.rehearsal != "" {
		return rehearsalFolder(s.rehearsal) + "/" + stagingPath(id)
	}
	return stagingPath(id)
}

func (st Staged) encode() map[string]any {
	old := map[string]string{}
	for path, value := range st.Old {
		old[path] = value.Reveal()
	}
	out := map[string]any{
		"secret":     st.Secret.Reveal(),
		"campaign":   st.Campaign,
		"attempt":    st.Attempt,
		"base":       st.Base,
		"old":        old,
		"created_at": st.CreatedAt.UTC().Format(time.RFC3339Nano),
	}
	// What is not so is not said: nearly every entry has nothing of it, and
	// Vault takes each apart, puts it together again and seals it.
	for _, said := range []struct {
		key   string
		is    bool
		value any
	}{
		{"places", len(st.Places) > 0, st.Places},
		{"doomed", len(st.Doomed) > 0, st.Doomed},
		{"policy_refused", st.PolicyRefused, true},
		{"unsent", st.Unsent, true},
		{"outlived", st.Outlived != 0, st.Outlived},
		{"refused", st.Refused, true},
		{"asked", st.Asked, true},
		{"changed", st.Changed != "", string(st.Changed)},
		{"retired", st.Retired != "", st.Retired},
		{"closed", st.Closed, true},
		{"lives_on", st.LivesOn != "", string(st.LivesOn)},
		{"before", st.Before != "", st.Before},
		{"found", len(st.Found) > 0, foundText(st.Found)},
		{"handed", len(st.Handed) > 0, st.Handed},
		{"spoiled", st.Spoiled != "", st.Spoiled},
		{"looked", st.Looked != "", st.Looked},
		{"instead", st.Instead != "", st.Instead},
		{"renewals", st.Renewals != 0, st.Renewals},
		{"freed", st.Freed, true},
		{"late", !st.Late.IsZero(), st.Late.UTC().Format(time.RFC3339Nano)},
	} {
		if said.is {
			out[said.key] = said.value
		}
	}
	return out
}

func foundText(found []credential.Finding) string {
	text, _ := json.Marshal(found) // two texts each
	return string(text)
}

// decodeStaged names a broken field but never its content.
func decodeStaged(e vault.Entry) (Staged, error) {
	st := Staged{Version: e.Version, Base: map[string]int{}, Old: map[string]credential.Secret{}}
	st.Freed, _ = e.Data["freed"].(bool)
	value, ok := e.Data["secret"].(string)
	if !st.Freed && (!ok || value == "") {
		return st, fmt.Errorf("field secret is missing")
	}
	st.Secret = credential.NewSecret(value)
	if st.Campaign, ok = e.Data["campaign"].(string); !ok || st.Campaign == "" {
		return st, fmt.Errorf("field campaign is missing")
	}
	if st.Attempt, ok = vault.Number(e.Data["attempt"]); !ok {
		return st, fmt.Errorf("field attempt is not a number")
	}
	base, _ := e.Data["base"].(map[string]any)
	for path, v := range base {
		if st.Base[path], ok = vault.Number(v); !ok {
			return st, fmt.Errorf("field base holds something that is not a version")
		}
	}
	old, _ := e.Data["old"].(map[string]any)
	for path, v := range old {
		text, ok := v.(string)
		if !ok {
			return st, fmt.Errorf("field old holds something that is not a value")
		}
		st.Old[path] = credential.NewSecret(text)
	}
	if places, _ := e.Data["places"].(map[string]any); len(places) > 0 {
		st.Places = vault.Texts(places)
	}
	doomed, _ := e.Data["doomed"].(map[string]any)
	for path, v := range doomed {
		if st.Doomed == nil {
			st.Doomed = map[string][]int{}
		}
		list, _ := v.([]any)
		for _, n := range list {
			version, ok := vault.Number(n)
			if !ok {
				return st, fmt.Errorf("field doomed holds something that is not a version")
			}
			st.Doomed[path] = append(st.Doomed[path], version)
		}
	}
	st.PolicyRefused, _ = e.Data["policy_refused"].(bool)
	st.Outlived, _ = vault.Number(e.Data["outlived"]) // absent: 0
	st.Unsent, _ = e.Data["unsent"].(bool)
	st.Refused, _ = e.Data["refused"].(bool)
	st.Asked, _ = e.Data["asked"].(bool)
	changed, _ := e.Data["changed"].(string)
	st.Changed = credential.FindingCode(changed)
	st.Retired, _ = e.Data["retired"].(string) // absent: not known
	st.Before, _ = e.Data["before"].(string)   // absent: not known
	st.Closed, _ = e.Data["closed"].(bool)
	found, _ := e.Data["found"].(string)
	_ = json.Unmarshal([]byte(found), &st.Found) // absent: none
	handed, _ := e.Data["handed"].([]any)
	for _, entity := range handed {
		text, _ := entity.(string)
		st.Handed = append(st.Handed, text)
	}
	st.Spoiled, _ = e.Data["spoiled"].(string)
	st.Looked, _ = e.Data["looked"].(string)
	st.Instead, _ = e.Data["instead"].(string)
	st.Renewals, _ = vault.Number(e.Data["renewals"])
	livesOn, _ := e.Data["lives_on"].(string)
	st.LivesOn = credential.FindingCode(livesOn)
	at, _ := e.Data["created_at"].(string)
	created, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return st, fmt.Errorf("field created_at is not a time")
	}
	st.CreatedAt = created
	if at, said := e.Data["late"].(string); said {
		if st.Late, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return st, fmt.Errorf("field late is not a time")
		}
		st.Noted = e.Written
	}
	return st, nil
}
