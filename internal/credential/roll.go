package credential

import (
	"encoding/json"
	"time"
)

// CampaignStamp is how the id of a campaign ends, as package time writes it:
// when it was started, in UTC.
const CampaignStamp = "20060102T150405Z"

// CampaignID is the id of a campaign over a device that starts at a time.
func CampaignID(device string, at time.Time) string {
	return device + "-" + at.UTC().Format(CampaignStamp)
}

// Roll is the merged list of one campaign. Once written to Vault it is never
// changed; a later listing is another roll.
type Roll struct {
	Campaign string    `json:"campaign"`
	Device   string    `json:"device"`
	ListedAt time.Time `json:"listed_at"`

	// Servers of each directory, the write server first, as the campaign file
	// names them and as they were found. The stolen values are proved dead on
	// these.
	Servers map[string][]string `json:"servers,omitempty"`

	// Addresses of those servers whose name had one when it was listed: they
	// are asked there.
	Addresses map[string]string `json:"addresses,omitempty"`

	// Doors are the addresses of those whose name was looked up when it was
	// listed: each of several is a door of its own.
	Doors map[string][]string `json:"doors,omitempty"`

	// Unfit are doors that are not what the campaign file says, by names that
	// credentials have for them, where they were asked. A campaign begins with
	// one if a person goes on all the same, and does not ask it.
	Unfit []UnfitDoor `json:"unfit_doors,omitempty"`

	// Waves in order: Credential.Wave is the index of one. Some may have no
	// credential.
	Waves []Wave `json:"waves,omitempty"`

	// Credentials in the order of rotation: by wave, signs of use (the surest
	// first), authority, kind, ID.
	Credentials []Credential `json:"credentials"`

	// Findings by credential ID.
	Findings map[string][]Finding `json:"findings,omitempty"`

	// Warnings are about the listing as a whole: what a person should read
	// before anybody believes that the roll is all there is.
	Warnings []Finding `json:"warnings,omitempty"`

	// Incident as the campaign file has it.
	Incident Incident `json:"incident,omitzero"`

	// Containment of the device, as it was when the roll was listed.
	Containment *Containment `json:"containment,omitempty"`

	// NewestToken is when the newest token of Vault was made that the listing
	// saw, by Vault's clock in seconds since 1970; 0 where it looked at none.
	NewestToken int64 `json:"newest_token,omitempty"`

	// Profile is what a device of that type can hold, line by line, and what is
	// known of each; nil where the campaign file names no profile.
	Profile *Accounting `json:"profile,omitempty"`

	// Reach is what logins to Vault of the roll could read of the rest, where
	// somebody asked for that preview. It is not kept with the roll.
	Reach []Reach `json:"reach,omitempty"`

	// PeoplesOwn are logins to Vault, mount/name, of which a person said in the
	// campaign file that they are somebody's own, whatever they are called.
	PeoplesOwn []string `json:"peoples_own,omitempty"`

	// Unlike are accounts, by id, that have the name of one of the roll and
	// refused what was stolen of it, in this campaign or an earlier one: once
	// that is dead, nobody can ask them any more.
	Unlike []string `json:"unlike,omitempty"`

	// TokensEnded is what earlier campaigns of the device ended of tokens that
	// a source described.
	TokensEnded []TokensEnded `json:"tokens_ended,omitempty"`

	// Told is whom the campaign tells how it goes, as the campaign file has it
	// (internal/notify/settings); nil where it is nobody.
	Told json.RawMessage `json:"told,omitempty"`

	// Readings of logs whose signs of use the credentials have.
	Readings []LogsRead `json:"readings,omitempty"`

	// Excluded were found and left out on purpose, each with its reason.
	Excluded []Exclusion `json:"excluded,omitempty"`
}

// Reach is what a login to Vault could read of the new values, by a reading of
// its policies.
type Reach struct {
	Login   string   `json:"login"` // the id of its credential
	Name    string   `json:"name"`
	Reads   []string `json:"could_read"`        // ids of credentials, its own too
	Rises   string   `json:"rises,omitempty"`   // by what it may come to other rights, and so read all
	Staging bool     `json:"staging,omitempty"` // and what Rollcall stages
	Batch   bool     `json:"batch,omitempty"`   // its tokens cannot be revoked
	Stays   bool     `json:"stays,omitempty"`   // it cannot be rotated as listed
	Hidden  []string `json:"hidden,omitempty"`  // what was not seen, and may give it more
}

// Wave is a stretch of the roll that is worked through before the next one
// begins.
type Wave struct {
	Name  string `json:"name"`
	Batch int    `json:"batch,omitempty"` // credentials in one dispatch; 0 where nobody said so
	Alone bool   `json:"alone,omitempty"` // it begins when all before it have ended
	Proof bool   `json:"proof,omitempty"` // the next begins when it has ended, not after its first pass
	Hold  bool   `json:"hold,omitempty"`  // behind it the campaign is paused: it was to be tried first
	// Tasks: people do what it holds, from the beginning of the campaign on.
	Tasks bool `json:"tasks,omitempty"`
}

// Exclusion is a credential that a person left out, by name and with a reason.
type Exclusion struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Reason string   `json:"reason"`
	Found  []Reason `json:"found"` // why it was on the list at all
	Kind   Kind     `json:"kind,omitempty"`
	// Hearsay as a Credential has it.
	Hearsay bool `json:"hearsay,omitempty"`
	// Logins are the logins to Vault that it is, or that its password opens.
	Logins []string `json:"logins,omitempty"`
	// Names of its account, where the roll has tasks of people.
	Names []string `json:"names,omitempty"`
	// Paths are where its value is read, and stays as it is.
	Paths []Path `json:"paths,omitempty"`
}

// DeadBefore is the latest campaign that called a value of a credential dead,
// the one that was in force when that began: by a proof or by people's word, as
// its ledger has it. A later campaign ends what was set since.
type DeadBefore struct {
	Campaign string    `json:"campaign"`
	At       time.Time `json:"at"` // when that was noted, by Vault's clock
}

// Span is a run of credentials on one page of a stored roll that share a wave,
// an authority and a kind. It is how Temporal refers to credentials: by place,
// never by name. From is included, To is not.
type Span struct {
	Page int `json:"p"`
	From int `json:"f"`
	To   int `json:"t"`
}

// Ref is one credential on a page of a stored roll.
type Ref struct {
	Page  int `json:"p"`
	Index int `json:"i"`
}

// Refs are credentials of a stored roll, in order. As JSON they are spans,
// because where there are many they lie side by side.
type Refs []Ref

// MarshalJSON writes spans.
func (r Refs) MarshalJSON() ([]byte, error) {
	spans := []Span{}
	for _, ref := range r {
		if n := len(spans) - 1; n >= 0 && spans[n].Page == ref.Page && spans[n].To == ref.Index {
			spans[n].To++
			continue
		}
		spans = append(spans, Span{Page: ref.Page, From: ref.Index, To: ref.Index + 1})
	}
	return json.Marshal(spans)
}

// UnmarshalJSON reads spans.
func (r *Refs) UnmarshalJSON(b []byte) error {
	var spans []Span
	if err := json.Unmarshal(b, &spans); err != nil {
		return err
	}
	*r = nil
	for _, s := range spans {
		for i := s.From; i < s.To; i++ {
			*r = append(*r, Ref{Page: s.Page, Index: i})
		}
	}
	return nil
}

// Len is the number of credentials in the span.
func (s Span) Len() int { return s.To - s.From }

// Incomplete counts the warnings that something may be missing from the roll.
func (r *Roll) Incomplete() int {
	n := 0
	for _, w := range r.Warnings {
		if w.Code.Incomplete() {
			n++
		}
	}
	return n
}

// WaveIndex is one wave of a roll.
type WaveIndex struct {
	Wave  int    `json:"wave"`
	Name  string `json:"name,omitempty"`
	Batch int    `json:"batch,omitempty"` // credentials in one dispatch; 0 where the campaign file leaves it open
	Alone bool   `json:"alone,omitempty"` // it begins when all before it have ended
	Proof bool   `json:"proof,omitempty"` // the next begins when it has ended, not after its first pass
	Tasks bool   `json:"tasks,omitempty"` // people do what it holds, from the beginning on
	Hold  bool   `json:"hold,omitempty"`  // behind it the campaign is paused
	Runs  []Run  `json:"runs"`
}

// Run is a stretch of one page whose credentials share wave, authority and
// kind.
type Run struct {
	Authority string `json:"authority"`
	Kind      Kind   `json:"kind"`
	Span
}

// TokensEnded says when a campaign first ended tokens of Vault that fitted a
// description: what is made in that way later is somebody else's.
type TokensEnded struct {
	Source string    `json:"source"` // by its name
	What   string    `json:"what"`   // what the source says of them
	At     time.Time `json:"at"`     // by Vault's clock
}
