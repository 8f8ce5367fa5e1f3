package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
	"rollcall/internal/plural"
)

// Code of a finding. Stable.
type Code string

// Codes.
const (
	NotOnRoll     Code = "not-on-roll"          // an account that the device used, and that the roll has not got
	UsedElsewhere Code = "used-elsewhere"       // a credential of the roll, from another place than its own
	DeviceAfter   Code = "from-device-after"    // a credential of the roll, from the device, behind the window or its containment
	TriedAfter    Code = "tried-after-rotation" // refused, behind the proof that the stolen value is dead
	StillAccepted Code = "still-accepted"       // the stolen value, behind the proof that it is dead
	ValueTried    Code = "value-tried"          // the value of one credential, offered as another account
	Changed       Code = "account-changed"      // by a credential of the roll, or from the device or an indicator's address
	IndicatorMet  Code = "indicator"            // an address of the intruder's
	LockedOut     Code = "locked-out"           // an account, by too many wrong tries
	Burst         Code = "burst-of-failures"
)

// Grade says how far a finding bears.
type Grade string

// Grades.
const (
	Confirmed Grade = "confirmed"
	Probable  Grade = "probable"
	Possible  Grade = "possible"
)

var grades = []Grade{Confirmed, Probable, Possible}

func (g Grade) lower() Grade { return grades[min(slices.Index(grades, g)+1, 2)] }

// Finding is one thing that the logs show. It holds no secret.
type Finding struct {
	Code       Code   `json:"code"`
	Grade      Grade  `json:"grade"`
	Rule       string `json:"rule"` // that gave the grade
	Credential string `json:"credential,omitempty"`
	Account    string `json:"account,omitempty"`
	Address    string `json:"address,omitempty"`
	// Others are addresses of which each may be the true one instead.
	Others    []string      `json:"other_addresses,omitempty"`
	Phase     Phase         `json:"phase,omitempty"`
	Outcome   event.Outcome `json:"outcome,omitempty"`
	Count     int           `json:"count"`
	Accounts  int           `json:"accounts,omitempty"`  // of a burst
	Addresses int           `json:"addresses,omitempty"` // of a burst
	// Further: from more addresses than are kept apart, each beside those that
	// are in findings of their own.
	Further bool      `json:"further_addresses,omitempty"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	// Change is what was done to Target, and Group the one that it was put
	// into.
	Change event.Change `json:"change,omitempty"`
	Target string       `json:"target,omitempty"`
	Group  string       `json:"group,omitempty"`
	// Indicator that was met, and where it stands.
	Indicator   string `json:"indicator,omitempty"`
	IndicatorAt string `json:"indicator_at,omitempty"`
	// ValueOf is the credential whose value was offered.
	ValueOf string        `json:"value_of,omitempty"`
	Doubts  []event.Doubt `json:"doubts,omitempty"` // each lowers the grade once, all together
	Seen    []Sighting    `json:"seen"`             // the first few
	// Moments are when its events were.
	Moments []Moment `json:"-"`
}

// findings of all that was seen.
func (j *Judge) findings() (out []Finding) {
	for k, g := range j.seen {
		if f, ok := j.finding(k, g); ok {
			out = append(out, f)
		}
	}
	for _, b := range j.bursts.finish() {
		out = append(out, b.finding())
	}
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(slices.Index(grades, a.Grade), slices.Index(grades, b.Grade)),
			a.First.Compare(b.First), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Credential, b.Credential),
			cmp.Compare(a.Account, b.Account), cmp.Compare(a.Address, b.Address), cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Phase, b.Phase),
			cmp.Compare(a.Target, b.Target), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Change, b.Change))
	})
	return out
}

func (j *Judge) finding(k key, g *group) (f Finding, ok bool) {
	f = Finding{Phase: k.phase, Outcome: k.outcome, Count: g.Count, First: g.First.UTC(), Last: g.Last.UTC(), Indicator: g.indicator, IndicatorAt: g.indicatorAt, Seen: g.seen, Moments: g.moments.list(), Further: k.crowd.on}
	if k.address.IsValid() {
		f.Address = k.address.String()
	}
	for _, a := range g.others {
		f.Others = append(f.Others, a.String())
	}
	if k.credential >= 0 {
		f.Credential, f.Account = j.o.Credentials[k.credential].ID, j.o.Credentials[k.credential].Name
	} else if len(g.seen) > 0 {
		f.Account = g.seen[0].Account
	}
	places := j.learned[k.credential]
	own := g.place == usual || k.crowd.usual || places.has(k.from, k.outcome)
	any := len(j.o.Usual) > 0 || places.any(k.outcome)
	switch {
	case k.change != "":
		f.Change, f.Target, f.Group = k.change, k.target, k.group
		f.Code, f.Grade, f.Rule = changed(k, g, own, any)
	case k.value >= 0:
		f.Code, f.Grade, f.Rule, f.ValueOf = ValueTried, Confirmed, "the-value-itself", j.o.Credentials[k.value].ID
	case k.stolen:
		f.Code, f.Grade, f.Rule = StillAccepted, Confirmed, "the-value-itself"
	case k.credential < 0 && k.lockOut:
		f.Code, f.Grade, f.Rule = lockedOut(k, g, false, false)
	case k.credential < 0 && g.place == device && !k.outcome.NoUse():
		f.Code = NotOnRoll
		f.Grade, f.Rule = notOnRoll(k)
	case k.credential >= 0:
		f.Code, f.Grade, f.Rule = onRoll(k, g, own, any)
	}
	if f.Code == "" && k.perhaps && g.place == device && k.outcome != event.Failed {
		// It is the roll's, or one that the roll has not got.
		f.Code, f.Credential, f.Account = NotOnRoll, "", g.seen[0].Account
		f.Grade, f.Rule = notOnRoll(k)
	}
	if f.Code == "" && g.indicator != "" && k.change == "" {
		f.Code, f.Grade, f.Rule = IndicatorMet, Possible, "indicator-tried"
		switch k.outcome {
		case event.Connected:
			f.Rule = "indicator-connected"
		case event.Mentioned:
			f.Rule = "indicator-mentioned"
		case event.ValueRight:
			f.Grade, f.Rule = Probable, "indicator-"+valueRight
		case event.Accepted:
			f.Grade, f.Rule = Probable, "indicator-let-in"
			if k.credential >= 0 {
				f.Grade, f.Rule = Confirmed, "indicator-let-in-by-roll"
			}
		}
	}
	if f.Rule == newPlace && places.full() {
		f.Grade, f.Rule = Possible, "too-many-usual-places"
	}
	if f.Code != "" && !g.clear {
		f.Grade, f.Doubts = f.Grade.lower(), g.doubts
	}
	return f, f.Code != ""
}

// changed judges a change of an account. Before the first window it is none of
// the intruder's.
func changed(k key, g *group, own, any bool) (Code, Grade, string) {
	switch {
	case g.indicator != "":
		return Changed, Confirmed, "indicator"
	case k.phase == Before:
		return "", "", ""
	case k.outcome != event.Accepted:
		return Changed, Possible, "change-refused"
	case k.change == event.Modified:
		return Changed, Possible, "in-what-is-not-said"
	case g.place == device:
		return Changed, Probable, "by-device"
	case own:
		return Changed, Possible, "usual-place"
	case g.place == nowhere:
		return Changed, Possible, "no-address"
	case any:
		return Changed, Probable, newPlace
	}
	return Changed, Possible, noUsualPlaces
}

func notOnRoll(k key) (Grade, string) {
	switch {
	case k.outcome == event.Accepted && k.phase == Contained:
		return Confirmed, "let-in-since-containment"
	case k.outcome == event.Accepted && k.phase == Within:
		return Confirmed, "let-in-from-device"
	case k.outcome == event.Accepted:
		return Probable, "let-in-from-device-outside-window"
	case k.outcome == event.ValueRight && k.phase == Contained:
		return Confirmed, valueRight
	case k.outcome == event.ValueRight:
		return Probable, valueRight
	}
	return Possible, "tried-from-device"
}

// onRoll judges a credential of the roll. own says that the address is one of
// its usual places, any that it has some.
func onRoll(k key, g *group, own, any bool) (Code, Grade, string) {
	accepted := k.outcome.Right()
	behind := k.phase == After || k.phase == Rotated || k.phase == Contained
	switch {
	case k.outcome == event.ValueRight && g.place == device && k.phase == Contained:
		return DeviceAfter, Confirmed, valueRight
	case k.outcome == event.ValueRight && g.place == device && behind:
		return DeviceAfter, Probable, valueRight
	case accepted && g.place == device && k.phase == Contained:
		return DeviceAfter, Confirmed, "let-in-since-containment"
	case accepted && g.place == device && behind:
		return DeviceAfter, Probable, "let-in-behind-window"
	case k.outcome.Bad() && k.phase == Contained:
		return DeviceAfter, Probable, "tried-since-containment"
	case k.phase == Contained && (k.outcome == event.Unknown || k.outcome == event.Barred):
		return unclear(k, g, own, any)
	case g.place == device && k.phase != Rotated:
		return "", "", "" // where it belongs
	case accepted && (g.place == nowhere || own || k.phase == Before):
		return "", "", ""
	case accepted && g.indicator != "":
		return UsedElsewhere, Confirmed, "indicator"
	case accepted && any:
		return UsedElsewhere, Probable, newPlace
	case accepted:
		return UsedElsewhere, Possible, noUsualPlaces
	case k.outcome == event.Unknown || k.outcome == event.Barred:
		return unclear(k, g, own, any)
	case (k.outcome == event.Locked || k.outcome == event.Denied) && k.phase != Rotated:
		return lockedOut(k, g, own, any)
	case !k.outcome.Bad() || k.phase != Rotated:
		return "", "", ""
	case g.indicator != "":
		return TriedAfter, Confirmed, "indicator"
	case g.place == device:
		return TriedAfter, Confirmed, "from-device"
	case own:
		return TriedAfter, Possible, "usual-place"
	}
	return TriedAfter, Probable, newPlace
}

// unclear judges a use of a credential of the roll of which the log does not
// say whether the value was right.
func unclear(k key, g *group, own, any bool) (Code, Grade, string) {
	code, rule := UsedElsewhere, "outcome-not-known"
	if k.outcome == event.Barred {
		rule = "perhaps-the-right-value"
	}
	switch k.phase {
	case Rotated:
		code = TriedAfter
	case Contained:
		code = DeviceAfter
	}
	switch {
	case k.phase == Before || own || g.place == nowhere:
		return "", "", ""
	case g.indicator != "":
		return code, Probable, "indicator"
	case g.place == device: // since it is contained, or behind the death
		return code, Possible, rule
	case !any:
		return code, Possible, noUsualPlaces
	}
	return code, Possible, rule
}

// lockedOut judges a lock-out. One that was before the first window is none of
// the intruder's.
func lockedOut(k key, g *group, own, any bool) (Code, Grade, string) {
	switch {
	case k.phase == Before:
		return "", "", ""
	case g.indicator != "" && k.outcome == event.Denied:
		return LockedOut, Possible, "indicator"
	case g.indicator != "":
		return LockedOut, Probable, "indicator"
	case k.credential < 0:
		return LockedOut, Possible, "not-on-roll"
	case own || g.place == device:
		return LockedOut, Possible, "usual-place"
	case g.place == nowhere:
		return LockedOut, Possible, "no-address"
	case any && k.outcome == event.Denied:
		return LockedOut, Possible, "lock-not-said"
	case any:
		return LockedOut, Probable, newPlace
	}
	return LockedOut, Possible, noUsualPlaces
}

// newPlace is the rule of what is from none of a credential's usual places.
const newPlace = "new-place"

// valueRight is the rule of a value that was right, and did not let in by
// itself.
const valueRight = "right-value"

// noUsualPlaces is the rule of what would be more if it were known from where a
// credential is used.
const noUsualPlaces = "no-usual-places"

// thenLetIn is the rule of a burst of failures behind which somebody got in.
const thenLetIn = "then-let-in"

func (b burst) finding() Finding {
	f := Finding{Code: Burst, Grade: Possible, Rule: "one-place", Count: b.count, First: b.first.UTC(), Last: b.last.UTC(),
		Accounts: b.accounts.len(), Addresses: b.addresses.len(), Indicator: b.indicator, Seen: b.seen,
		Moments: []Moment{{b.first.UTC(), b.last.UTC(), b.count}}}
	if b.address.IsValid() {
		f.Address = b.address.String()
	}
	if b.ofAccount && len(b.seen) > 0 {
		f.Account = b.seen[0].Account
	}
	switch {
	case b.ofUsual == b.count && (b.letIn == nil || b.letInBy == usual):
		f.Rule = "usual-place" // Vault renews with the passwords that it has
	case b.letIn != nil:
		f.Grade, f.Rule = Probable, thenLetIn
		if b.ofAccount {
			f.Account = b.letIn.Account // who was let in is known to the server
		}
		f.Seen = append(slices.Clone(f.Seen), *b.letIn)
	case b.ofAccount:
		f.Grade, f.Rule = Probable, "many-addresses"
	case b.accounts.len() >= manyAccounts:
		f.Grade, f.Rule = Probable, "many-accounts"
	}
	if b.said == b.count && !b.ofAccount {
		f.Doubts = append(f.Doubts, event.BySaying)
	}
	if b.ofDevice == b.count {
		f.Doubts = append(f.Doubts, event.OfDevice)
	}
	if len(f.Doubts) > 0 {
		f.Grade = f.Grade.lower()
	}
	return f
}

// Words say what a finding is, for people.
func (f Finding) Words() string {
	who := f.Account
	if who == "" {
		who = "somebody whom the log does not name"
	}
	times := "once"
	if f.Count > 1 {
		times = plural.Count(f.Count, "time", "times")
	}
	from := "an address that the logs do not show"
	switch {
	case f.Further:
		from = "further addresses"
	case f.Address == "" && len(f.Seen) > 0 && f.Seen[0].Client != "":
		from = fmt.Sprintf("a machine that calls itself %q", f.Seen[0].Client)
	}
	if f.Address != "" {
		from = strings.Join(append([]string{f.Address}, f.Others...), " or ")
	}
	switch f.Code {
	case Changed:
		return f.changeWords(who, from, times)
	case NotOnRoll:
		return fmt.Sprintf("%s %s from the device (%s), %s, and is not on the roll", who, f.Outcome.Words(), from, times)
	case UsedElsewhere:
		if f.Outcome == event.Accepted {
			return fmt.Sprintf("%s was used from %s, %s", who, from, times)
		}
		return fmt.Sprintf("%s %s from %s, %s", who, f.Outcome.Words(), from, times)
	case LockedOut:
		if f.Outcome == event.Denied {
			return fmt.Sprintf("%s %s from %s, %s", who, f.Outcome.Words(), from, times)
		}
		return fmt.Sprintf("%s was locked out when somebody came from %s, %s", who, from, times)
	case DeviceAfter:
		return fmt.Sprintf("%s %s from the device (%s), %s, when that should have been out of use", who, f.Outcome.Words(), from, times)
	case TriedAfter:
		return fmt.Sprintf("%s %s from %s, %s, after its stolen value was dead", who, f.Outcome.Words(), from, times)
	case StillAccepted:
		return fmt.Sprintf("%s %s from %s, %s, with the value that was stolen, after that was proved dead: it is alive somewhere", who, letInWords[f.Outcome], from, times)
	case ValueTried:
		return fmt.Sprintf("the value of %s was offered as %s from %s, %s", f.ValueOf, who, from, times)
	case IndicatorMet:
		if f.Outcome == event.Mentioned {
			return fmt.Sprintf("%s stands in a line about no login, where it may be what somebody typed, %s", from, times)
		}
		return fmt.Sprintf("%s %s from %s, %s", who, f.Outcome.Words(), from, times)
	}
	if f.Address == "" {
		return fmt.Sprintf("%s of %s from %s", plural.Count(f.Count, "refused login", "refused logins"), who, plural.Count(f.Addresses, "address", "addresses"))
	}
	return fmt.Sprintf("%s of %s from %s", plural.Count(f.Count, "refused login", "refused logins"), plural.Count(f.Accounts, "account", "accounts"), from)
}

var letInWords = map[event.Outcome]string{event.Accepted: "was let in", event.ValueRight: event.ValueRight.Words()}

func (f Finding) changeWords(who, from, times string) string {
	verb := "was " + string(f.Outcome) + " in changing"
	if f.Outcome == event.Accepted {
		verb = "changed"
	}
	switch f.Change {
	case event.Reset:
		return fmt.Sprintf("%s %s the password of %s from %s, %s", who, verb, f.Target, from, times)
	case event.OwnChange:
		return fmt.Sprintf("%s %s a password of which it gave the old one (%s) from %s, %s", who, verb, f.Target, from, times)
	case event.NewKey:
		return fmt.Sprintf("%s %s the keys or certificates of %s from %s, %s", who, verb, f.Target, from, times)
	case event.Made, event.Removed, event.Renamed, event.Disabled, event.Enabled:
		if f.Outcome == event.Accepted {
			return fmt.Sprintf("%s %s %s from %s, %s", who, f.Change, f.Target, from, times)
		}
		return fmt.Sprintf("%s was %s to have %s %s from %s, %s", who, f.Outcome, f.Target, f.Change, from, times)
	case event.NewMember:
		if f.Target == "" {
			return fmt.Sprintf("%s %s the members of %s from %s, %s", who, verb, f.Group, from, times)
		}
		return fmt.Sprintf("%s %s the groups of %s, which became a member of %s, from %s, %s", who, verb, f.Target, f.Group, from, times)
	}
	return fmt.Sprintf("%s %s entries from %s, %s, in what the log does not say", who, verb, from, times)
}
