package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"rollcall/internal/credential"
)

// EvidenceOf names the ledger of what logs show of a device, whichever campaign
// runs, or none. No campaign is called so: their names end with a time.
func EvidenceOf(device string) string { return device + "-evidence" }

// Signed is a credential of a campaign's roll of which logs show something, in
// a ledger of evidence, which has no roll of its own.
type Signed struct {
	ID, Name string
	Signs    []credential.SignOf // of a reading that follows, as they are by now
}

// EvidenceEntries are those of a reading of logs for the ledger of a device's
// evidence: what is new of one that follows, or all of another. of are the
// credentials with signs in it, and program is the build that writes. An entry
// that was written before has the same id, and a sign of which there is more by
// now another one.
func EvidenceEntries(device, program string, r credential.LogsRead, of []credential.Credential, at time.Time) []Entry {
	campaign := EvidenceOf(device)
	entries := []Entry{{
		ID: EntryID(campaign, "", "", EvidenceOpened), At: at, Campaign: campaign, Event: EvidenceOpened,
		Device: device, Program: program,
	}}
	before, last := ReadingEntries(campaign, r, at)
	entries = append(entries, before...)
	for _, c := range of {
		entries = append(entries, SignEntries(campaign, c, at)...)
	}
	if !r.Of.Follows {
		return append(entries, last)
	}
	for i, e := range entries {
		if e.Event == SignFound {
			entries[i].ID = EntryID(campaign, e.Credential, readingPass(r.ID, signDigest(*e.Reading.Sign)), SignFound)
		}
	}
	return entries
}

func signDigest(s credential.Sign) string {
	text, _ := json.Marshal(s)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// become puts a sign of a reading that follows in the place of what it was
// before. A smaller one changes nothing: after a crash, or with an older state
// of the watch, less of it may be told again.
func become(was *credential.Sign, is credential.Sign) (same bool) {
	same = was.Code == is.Code && was.Grade == is.Grade && was.Rule == is.Rule
	if same && is.Count > was.Count {
		*was = is
	}
	return same
}

// signed folds in a sign of a credential that is on the roll of a campaign.
func (s *State) signed(e *Entry) {
	if e.Reading == nil || e.Reading.Sign == nil {
		return
	}
	n, ok := s.signedAt[e.Credential]
	if !ok {
		n = len(s.Signed)
		s.signedAt[e.Credential] = n
		s.Signed = append(s.Signed, &Signed{ID: e.Credential, Name: e.Name})
	}
	r := s.ReadingWith(e.Reading.ID)
	of := s.Signed[n]
	for i := range of.Signs {
		if r != nil && r.Follows && of.Signs[i].Reading == r.ID && become(&of.Signs[i].Sign, *e.Reading.Sign) {
			return
		}
	}
	of.Signs = append(of.Signs, credential.SignOf{Reading: e.Reading.ID, Sign: *e.Reading.Sign})
}

// TakeEvidence adds what a ledger of evidence has that was held against the
// roll of this campaign.
func (s *State) TakeEvidence(of *State) {
	mine := map[string]bool{}
	for _, r := range of.Readings {
		if r.Roll == s.Campaign && s.ReadingWith(r.ID) == nil {
			with := *r
			with.Ledger = of.Campaign
			s.Readings, mine[r.ID] = append(s.Readings, &with), true
		}
	}
	for _, c := range of.Signed {
		own := s.Credential(c.ID)
		for _, is := range c.Signs {
			if own != nil && mine[is.Reading] {
				own.Signs = append(own.Signs, is)
			}
		}
	}
}
