package judge

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/evidence/event"
)

func day(n int) time.Time { return time.Date(2026, 1, n, 12, 0, 0, 0, time.UTC) }

// options have a window from the 10th to the 20th, a device, and two
// credentials, the first of which was dead on the 25th.
func options() Options {
	return Options{
		Windows: []Window{{From: day(10), To: day(20)}}, Device: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32")}, Now: day(30),
		Credentials: []Credential{
			{ID: "corp/a", Name: "uid=a,dc=x", Authority: "corp", Accounts: []Account{{Form: event.DN, Name: "uid=a,dc=x"}}, Rotated: day(25)},
			{ID: "corp/b", Name: "uid=b,dc=x", Authority: "corp", Accounts: []Account{{Form: event.DN, Name: "uid=b,dc=x"}}},
		},
		Fold: func(_ event.Form, s string) (string, bool) { return strings.ToLower(s), strings.Contains(s, "=") },
	}
}

func at(d int, account, address string, o event.Outcome, doubts ...event.Doubt) event.Event {
	e := event.Event{Place: event.Place{File: "f", Line: d}, Format: "openldap", At: day(d), Account: account, Form: event.DN, Outcome: o, Login: true, Method: "simple", Doubts: doubts}
	if address != "" {
		e.Address = netip.MustParseAddr(address)
	}
	return e
}

// lockOut is one as Windows tells of it (4740).
func lockOut(d int, account string) event.Event {
	e := at(d, account, "", event.Locked)
	e.Login, e.Client, e.NameSaid = false, "KALI", true
	return e
}

func TestEachRuleGivesItsGrade(t *testing.T) {
	const a, b, other, dev, home, evil, new = "UID=A,dc=x", "uid=b,dc=x", "uid=c,dc=x", "192.0.2.10", "198.51.100.1", "203.0.113.9", "203.0.113.1"
	before := at(5, a, home, event.Accepted)
	for name, row := range map[string]struct {
		events []event.Event
		want   string // code grade rule, of all findings
	}{
		"the device uses what is not on the roll":           {[]event.Event{at(11, other, dev, event.Accepted)}, "not-on-roll confirmed let-in-from-device"},
		"it did so outside the window":                      {[]event.Event{at(5, other, dev, event.Accepted)}, "not-on-roll probable let-in-from-device-outside-window"},
		"it showed the right value":                         {[]event.Event{at(11, other, dev, event.ValueRight)}, "not-on-roll probable right-value"},
		"it showed the right value since it is contained":   {[]event.Event{at(29, other, dev, event.ValueRight)}, "not-on-roll confirmed right-value"},
		"the right value is a use, whatever came behind it": {[]event.Event{before, at(11, a, new, event.ValueRight)}, "used-elsewhere probable new-place"},
		"also where no usual places are known":              {[]event.Event{at(11, b, new, event.ValueRight)}, "used-elsewhere possible no-usual-places"},
		"it teaches a usual place":                          {[]event.Event{at(5, a, home, event.ValueRight), at(11, a, home, event.Accepted)}, ""},
		"the right value from the device behind the window": {[]event.Event{at(22, b, dev, event.ValueRight)}, "from-device-after probable right-value"},
		"it tried":                                               {[]event.Event{at(11, other, dev, event.Refused)}, "not-on-roll possible tried-from-device"},
		"an address in doubt counts less":                        {[]event.Event{at(11, other, dev, event.Accepted, event.OverGap)}, "not-on-roll probable let-in-from-device"},
		"one without a doubt is enough":                          {[]event.Event{at(11, other, dev, event.Accepted, event.OverGap), at(11, other, dev, event.Accepted)}, "not-on-roll confirmed let-in-from-device"},
		"the device uses what is on it":                          {[]event.Event{at(11, b, dev, event.Accepted)}, ""},
		"somebody else uses what is not on it":                   {[]event.Event{at(11, other, new, event.Accepted)}, ""},
		"from where it always was":                               {[]event.Event{before, at(11, a, home, event.Accepted)}, ""},
		"from a new place in the window":                         {[]event.Event{before, at(11, a, new, event.Accepted)}, "used-elsewhere probable new-place"},
		"from a new place, seen before what is usual":            {[]event.Event{at(11, a, new, event.Accepted), before}, "used-elsewhere probable new-place"},
		"a use behind the window is found":                       {[]event.Event{before, at(21, a, new, event.Accepted)}, "used-elsewhere probable new-place"},
		"nobody knows what is usual":                             {[]event.Event{at(11, b, new, event.Accepted)}, "used-elsewhere possible no-usual-places"},
		"before the window a place is what it is":                {[]event.Event{at(5, a, new, event.Accepted)}, ""},
		"from the intruder's address":                            {[]event.Event{before, at(11, a, evil, event.Accepted)}, "used-elsewhere confirmed indicator"},
		"from the intruder's address before the window":          {[]event.Event{at(5, a, evil, event.Accepted)}, "indicator confirmed indicator-let-in-by-roll"},
		"and that makes it no usual place":                       {[]event.Event{at(5, b, evil, event.Accepted), at(11, b, evil, event.Accepted)}, "indicator confirmed indicator-let-in-by-roll, used-elsewhere confirmed indicator"},
		"the intruder as somebody else":                          {[]event.Event{at(11, other, evil, event.Accepted)}, "indicator probable indicator-let-in"},
		"the intruder in vain":                                   {[]event.Event{at(11, other, evil, event.Refused)}, "indicator possible indicator-tried"},
		"the old value tried":                                    {[]event.Event{at(26, a, new, event.Refused)}, "tried-after-rotation probable new-place"},
		"the old value tried by the device":                      {[]event.Event{at(26, a, dev, event.Refused)}, "tried-after-rotation confirmed from-device"},
		"the old value tried by a consumer that was missed":      {[]event.Event{before, at(26, a, home, event.Refused)}, "tried-after-rotation possible usual-place"},
		"before it was dead a refusal is a refusal":              {[]event.Event{at(24, a, new, event.Refused)}, ""},
		"the device behind the window":                           {[]event.Event{at(21, b, dev, event.Accepted)}, "from-device-after probable let-in-behind-window"},
		"the device in vain since it is contained":               {[]event.Event{at(29, b, dev, event.Refused)}, "from-device-after probable tried-since-containment"},
		"the device since it is contained":                       {[]event.Event{at(29, b, dev, event.Accepted)}, "from-device-after confirmed let-in-since-containment"},
		"without an address nothing is said of a place":          {[]event.Event{at(11, b, "", event.Accepted)}, ""},
		"an answer that is missing may have been a success":      {[]event.Event{at(11, b, new, event.Unknown)}, "used-elsewhere possible no-usual-places"},
		"an answer that is missing, from a new place":            {[]event.Event{before, at(11, a, new, event.Unknown)}, "used-elsewhere possible outcome-not-known"},
		"with no answer, from the intruder's address":            {[]event.Event{before, at(11, a, evil, event.Unknown)}, "used-elsewhere probable indicator"},
		"a log that never says how it ends has usual places too": {[]event.Event{at(5, a, home, event.Unknown), at(11, a, home, event.Unknown)}, ""},
		"and these are none of what was let in":                  {[]event.Event{at(5, a, new, event.Unknown), at(11, a, new, event.Accepted)}, "used-elsewhere possible no-usual-places"},
		"barred, which may have been the right value":            {[]event.Event{before, at(11, a, new, event.Barred)}, "used-elsewhere possible perhaps-the-right-value"},
		"barred after its death":                                 {[]event.Event{before, at(26, a, new, event.Barred)}, "tried-after-rotation possible perhaps-the-right-value"},
		"barred at a usual place":                                {[]event.Event{before, at(11, a, home, event.Barred)}, ""},
		"barred at the device after its death":                   {[]event.Event{at(26, a, dev, event.Barred)}, "tried-after-rotation possible perhaps-the-right-value"},
		"with no answer at the device since it is contained":     {[]event.Event{at(29, b, dev, event.Unknown)}, "from-device-after possible outcome-not-known"},
		"with no answer at the device":                           {[]event.Event{at(11, b, dev, event.Unknown), at(21, b, dev, event.Unknown)}, ""},
		"barred at the device":                                   {[]event.Event{before, at(11, a, dev, event.Barred)}, ""},
		"a failure of somebody else's at the intruder's":         {[]event.Event{at(11, other, evil, event.Failed)}, "indicator possible indicator-tried"},
		"a failure of somebody else's":                           {[]event.Event{at(11, other, dev, event.Failed)}, ""},
		"let in without a name, at the intruder's":               {[]event.Event{at(11, "", evil, event.Accepted)}, "indicator probable indicator-let-in"},
		"let in without a name":                                  {[]event.Event{at(11, "", dev, event.Accepted), at(11, "", new, event.Accepted)}, ""},
		"the intruder connected":                                 {[]event.Event{at(11, "", evil, event.Connected)}, "indicator possible indicator-connected"},
		"others connected":                                       {[]event.Event{at(11, "", dev, event.Connected), at(11, "", new, event.Connected)}, ""},
		"locked out by a new place":                              {[]event.Event{before, at(11, a, new, event.Locked)}, "locked-out probable new-place"},
		"locked out by a usual place":                            {[]event.Event{before, at(11, a, home, event.Locked)}, "locked-out possible usual-place"},
		"locked out, nobody knows what is usual":                 {[]event.Event{at(11, b, new, event.Locked)}, "locked-out possible no-usual-places"},
		"locked out by the intruder's":                           {[]event.Event{at(11, b, evil, event.Locked)}, "locked-out probable indicator"},
		"locked out by the device":                               {[]event.Event{at(11, b, dev, event.Locked)}, ""},
		"the lock-out itself has no address":                     {[]event.Event{lockOut(11, b)}, "locked-out possible no-address"},
		"the lock-out of what is not on the roll":                {[]event.Event{lockOut(11, other)}, "locked-out possible not-on-roll"},
		"a lock-out before the window":                           {[]event.Event{lockOut(5, other), lockOut(5, b)}, ""},
		"tried at a lock, of what is not on the roll":            {[]event.Event{at(11, other, new, event.Locked)}, ""},
	} {
		o := options()
		o.Contained = day(28)
		o.Indicators = &Indicators{}
		require.NoError(t, o.Indicators.Read("iocs", strings.NewReader(evil+"\n")))
		j := New(o)
		for _, e := range row.events {
			j.Add(e)
		}
		var got []string
		for _, f := range j.Finish(nil, nil).Findings {
			got = append(got, fmt.Sprintf("%s %s %s", f.Code, f.Grade, f.Rule))
			require.NotEmpty(t, f.Seen, name)
			require.NotEmpty(t, f.Words(), name)
		}
		require.Equal(t, row.want, strings.Join(got, ", "), name)
	}
}

func TestThePlacesThatCountAsUsualByTheLogsAreNamed(t *testing.T) {
	j := New(options())
	for _, e := range []event.Event{
		at(5, "uid=a,dc=x", "198.51.100.2", event.Accepted), at(6, "uid=a,dc=x", "198.51.100.1", event.Accepted), at(6, "uid=a,dc=x", "203.0.113.7", event.Refused),
		at(5, "uid=a,dc=x", "203.0.113.8", event.Unknown), at(11, "uid=a,dc=x", "203.0.113.9", event.Accepted), at(5, "uid=a,dc=x", "192.0.2.10", event.Accepted),
	} {
		j.Add(e)
	}
	r := j.Finish(nil, nil)
	require.Equal(t, []string{"198.51.100.1", "198.51.100.2"}, r.Uses[0].Places)
	require.Empty(t, r.Uses[1].Places)
}

func TestAValueThatIsOfferedAsSomebodyElseIsFoundByItsHash(t *testing.T) {
	o := options()
	o.Hashes = map[string][]HashOf{"h": {{0, OfValue}}, "r": {{1, OfRole}}}
	j := New(o)
	e := at(26, "userpass/nobody", "203.0.113.1", event.Refused)
	e.Form, e.Hashes = event.VaultLogin, []string{"h"}
	j.Add(e)
	own := at(11, "uid=a,dc=x", "192.0.2.10", event.Accepted)
	own.Hashes = []string{"h"}
	j.Add(own) // its own account's
	role := at(26, "", "203.0.113.1", event.Refused)
	role.Form, role.Hashes = event.VaultLogin, []string{"r"}
	j.Add(role)
	r := j.Finish(nil, nil)
	require.Len(t, r.Findings, 1)
	f := r.Findings[0]
	require.Equal(t, "value-tried confirmed the-value-itself corp/a", fmt.Sprint(f.Code, " ", f.Grade, " ", f.Rule, " ", f.ValueOf))
	require.Equal(t, "userpass/(masked, 6 characters)", f.Account)
	require.Equal(t, 1, r.Uses[1].Refused.Count, "a role is named by its role-id")
}

// That the device logs in when it is said to be contained is no less with an
// account that is not on the roll.
func TestAnAccountThatIsNotOnTheRollIsUsedFromTheDeviceSinceItIsContained(t *testing.T) {
	o := options()
	o.Contained = day(15)
	for n, want := range map[int]string{14: "confirmed let-in-from-device", 16: "confirmed let-in-since-containment", 22: "confirmed let-in-since-containment"} {
		j := New(o)
		j.Add(at(n, "uid=c,dc=x", "192.0.2.10", event.Accepted))
		f := j.Finish(nil, nil).Findings[0]
		require.Equal(t, "not-on-roll "+want, fmt.Sprint(f.Code, " ", f.Grade, " ", f.Rule))
	}
}

// What the device itself wrote whoever held it could have written: it counts
// one grade less, a burst of it too.
func TestWhatTheDeviceItselfWroteCountsLess(t *testing.T) {
	for n, want := range map[int]string{0: "burst-of-failures possible one-place []", 11: "burst-of-failures possible many-accounts [written-by-the-device]", 5: "burst-of-failures probable many-accounts []"} {
		j := New(options())
		for i := range 11 {
			e := at(11, fmt.Sprint("uid=z", i, ",dc=x"), "203.0.113.1", event.Refused)
			if n == 0 {
				e.Account = "uid=z,dc=x"
			}
			if i < n {
				e.Doubts = []event.Doubt{event.OfDevice}
			}
			j.Add(e)
		}
		r := j.Finish(nil, nil)
		require.Len(t, r.Findings, 1)
		f := r.Findings[0]
		require.Equal(t, want, fmt.Sprint(f.Code, " ", f.Grade, " ", f.Rule, " ", f.Doubts))
	}
	j := New(options())
	j.Add(at(11, "uid=c,dc=x", "192.0.2.10", event.Accepted, event.OfDevice))
	f := j.Finish(nil, nil).Findings[0]
	require.Equal(t, "not-on-roll probable [written-by-the-device]", fmt.Sprint(f.Code, " ", f.Grade, " ", f.Doubts))
}

// The stolen value is known by its hash: that it is right after it was proved
// dead is no use as others are, from wherever it comes.
func TestAStolenValueThatIsRightAfterItsDeathIsAlive(t *testing.T) {
	const a, home, new, dev = "uid=a,dc=x", "198.51.100.1", "203.0.113.1", "192.0.2.10"
	for name, row := range map[string]struct {
		day     int
		address string
		outcome event.Outcome
		hash    string
		want    string
	}{
		"let in":                       {26, new, event.Accepted, "h", "still-accepted confirmed the-value-itself"},
		"with a second factor to come": {26, new, event.ValueRight, "h", "still-accepted confirmed the-value-itself"},
		"from a usual place":           {26, home, event.Accepted, "h", "still-accepted confirmed the-value-itself"},
		"from the device":              {26, dev, event.Accepted, "h", "still-accepted confirmed the-value-itself"},
		"refused":                      {26, new, event.Refused, "h", "tried-after-rotation probable new-place"},
		"another value":                {26, new, event.Accepted, "i", "used-elsewhere probable new-place"},
		"before its death":             {24, new, event.Accepted, "h", "used-elsewhere probable new-place"},
	} {
		o := options()
		o.Hashes = map[string][]HashOf{"h": {{0, OfValue}}, "i": {{1, OfRole}}}
		j := New(o)
		j.Add(at(5, a, home, event.Accepted))
		e := at(row.day, a, row.address, row.outcome)
		e.Hashes = []string{row.hash}
		j.Add(e)
		r := j.Finish(nil, nil)
		require.Len(t, r.Findings, 1, name)
		f := r.Findings[0]
		require.Equal(t, row.want, fmt.Sprint(f.Code, " ", f.Grade, " ", f.Rule), name)
		if f.Code == StillAccepted {
			require.Contains(t, f.Words(), "after that was proved dead: it is alive somewhere", name)
		}
	}
}

func TestBurstsOfFailuresAreTold(t *testing.T) {
	row := func(n int, account func(i int) string, address func(i int) string, gap time.Duration) (out []event.Event) {
		for i := range n {
			e := at(11, account(i), address(i), event.Refused)
			e.At = e.At.Add(time.Duration(i) * gap)
			out = append(out, e)
		}
		return out
	}
	one := func(s string) func(int) string { return func(int) string { return s } }
	many := func(pattern string) func(int) string {
		return func(i int) string { return fmt.Sprintf(pattern, i%7+1) }
	}
	in := at(11, "uid=z,dc=x", "203.0.113.1", event.Accepted)
	in.At = in.At.Add(30 * time.Second)
	for name, r := range map[string]struct {
		events []event.Event
		want   string
	}{
		"nine are none":           {row(9, one("uid=z,dc=x"), one("203.0.113.1"), time.Second), ""},
		"ten are one":             {row(10, one("uid=z,dc=x"), one("203.0.113.1"), time.Second), "possible one-place 10"},
		"ten in an hour are none": {row(10, one("uid=z,dc=x"), one("203.0.113.1"), 6*time.Minute), ""},
		"of many accounts":        {row(20, many("uid=z%d,dc=x"), one("203.0.113.1"), time.Second), "probable many-accounts 20"},
		"from many addresses":     {row(20, one("uid=z,dc=x"), many("203.0.113.%d"), time.Second), "probable many-addresses 20"},
		"and then one was let in": {append(row(10, one("uid=z,dc=x"), one("203.0.113.1"), time.Second), in), "probable then-let-in 10"},
		"a lock-out is a failure": {func() []event.Event {
			x := row(10, one("uid=z,dc=x"), one("203.0.113.1"), time.Second)
			x[9].Outcome = event.Locked
			return x
		}(), "possible one-place 10"},
		"two bursts with a day between": {func() []event.Event {
			x := row(20, one("uid=z,dc=x"), one("203.0.113.1"), time.Second)
			for i := range 10 {
				x[10+i].At = x[10+i].At.Add(24 * time.Hour)
			}
			return x
		}(), "possible one-place 10, possible one-place 10"},
	} {
		j := New(options())
		for _, e := range r.events {
			j.Add(e)
		}
		var got []string
		for _, f := range j.Finish(nil, nil).Findings {
			got = append(got, fmt.Sprintf("%s %s %d", f.Grade, f.Rule, f.Count))
		}
		require.Equal(t, r.want, strings.Join(got, ", "), name)
	}
}

// After a rotation Vault renews the logins of many accounts with the passwords
// that it has: failures from a place that is said to be usual are no guesses.
func TestFailuresFromUsualPlacesAreNoGuessesOfAReading(t *testing.T) {
	const vault, other = "198.51.100.1", "203.0.113.1"
	for name, r := range map[string]struct {
		failed, letIn string
		want          string
	}{
		"renewals":                          {vault, "", "possible usual-place 20"},
		"renewals, and then the new one":    {vault, vault, "possible usual-place 20"},
		"a thief guesses":                   {other, "", "probable many-accounts 20"},
		"a thief guesses and then he is in": {other, other, "probable then-let-in 20"},
	} {
		o := options()
		o.Usual = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
		j := New(o)
		for i := range 20 {
			e := at(26, fmt.Sprintf("uid=z%d,dc=x", i%7), r.failed, event.Refused)
			e.At = e.At.Add(time.Duration(i) * time.Second)
			j.Add(e)
		}
		if r.letIn != "" {
			e := at(26, "uid=z1,dc=x", r.letIn, event.Accepted)
			e.At = e.At.Add(time.Minute)
			j.Add(e)
		}
		var got []string
		for _, f := range j.Finish(nil, nil).Findings {
			if f.Code == Burst {
				got = append(got, fmt.Sprintf("%s %s %d", f.Grade, f.Rule, f.Count))
			}
		}
		require.Equal(t, []string{r.want}, got, name)
	}
	// Of one account from many usual places, and then let in from another one.
	o := options()
	o.Usual = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	j := New(o)
	for i := range 20 {
		e := at(26, "uid=z,dc=x", fmt.Sprintf("198.51.100.%d", i%4), event.Refused)
		e.At = e.At.Add(time.Duration(i) * time.Second)
		j.Add(e)
	}
	in := at(26, "uid=z,dc=x", other, event.Accepted)
	in.At = in.At.Add(time.Minute)
	j.Add(in)
	all := j.Finish(nil, nil).Findings
	require.NotEmpty(t, all)
	require.Equal(t, "then-let-in", all[0].Rule)
}

func TestWhatWasTypedWhereTheNameGoesIsMasked(t *testing.T) {
	require.Equal(t, "(masked, 7 characters)", Shown(event.DN, "hunter2", false))
	require.Equal(t, "uid=a,dc=x", Shown(event.DN, "uid=a,dc=x", true))
	require.Equal(t, "userpass/(masked, 7 characters)", Shown(event.VaultLogin, "userpass/hunter2", false))
	j := New(options())
	j.Add(at(11, "hunter2", "192.0.2.10", event.Refused))
	for i := range 12 {
		e := at(12, "hunter2", "203.0.113.1", event.Refused)
		e.At = e.At.Add(time.Duration(i) * time.Second)
		j.Add(e)
	}
	for _, f := range j.Finish(nil, nil).Findings {
		require.NotContains(t, fmt.Sprintf("%+v %s", f, f.Words()), "hunter2")
	}
	require.Equal(t, "other", word("x\x1b[31m"))
	require.LessOrEqual(t, len(short(strings.Repeat("é", 4000))), longest+3)
}

// A mail server that binds as uid=%u,ou=people makes a DN of what was typed.
func TestAPasswordOfWhichAServerMadeADNIsMasked(t *testing.T) {
	require.Equal(t, "uid=(masked, 9 characters),dc=x", withoutItsName(`uid=hun\,ter2,dc=x`))
	require.Equal(t, "uid=(masked, 1 character)", withoutItsName(`uid=\`))
	for _, outcome := range []event.Outcome{event.Refused, event.Accepted} {
		o := options()
		o.Fold = func(_ event.Form, account string) (string, bool) { return account, true }
		o.Indicators = &Indicators{Addresses: map[netip.Addr]string{netip.MustParseAddr("203.0.113.1"): "iocs.txt line 1"}}
		j := New(o)
		for i, address := range []string{"192.0.2.10", "203.0.113.1"} {
			for s := range 12 {
				e := at(11+i, "uid=hunter2,dc=x", address, outcome)
				e.At = e.At.Add(time.Duration(s) * time.Second)
				j.Add(e)
			}
		}
		all := j.Finish(nil, nil)
		require.NotEmpty(t, all.Findings)
		text, err := json.Marshal(all)
		require.NoError(t, err)
		if outcome == event.Accepted {
			require.Contains(t, string(text), "uid=hunter2,dc=x", "the server knows it")
			continue
		}
		require.NotContains(t, string(text), "hunter2")
		require.Contains(t, string(text), "uid=(masked, 7 characters),dc=x")
	}
}

func TestNoRecordIsNeverCalledUnused(t *testing.T) {
	r := New(options()).Finish(nil, []Unlogged{{Authority: "corp"}})
	require.True(t, r.Gaps())
	require.False(t, r.Uses[0].Record)
	require.Equal(t, []Missing{{Authority: "corp", Gaps: []Gap{{day(10), day(20), NoLog, NoLog.Question()}}}}, r.Missing)
}

// Whatever lines there are, gaps and what is covered make up the window, each
// moment once.
// Who may write lines of any time parts a log into as many stretches as he
// likes: what is not kept of them is no covered time.
func TestMoreStretchesThanAreKeptAreNeverCalledCovered(t *testing.T) {
	const n = 3 * maxStretches
	began := time.Date(2022, 10, 10, 0, 0, 0, 0, time.UTC)
	s := NewSource("corp", "ldap1", "openldap", time.Hour)
	s.Files = []string{"slapd.log"}
	at := func(i int) time.Time { return began.Add(time.Duration(i) * 3 * time.Hour) }
	for i := range n {
		s.Line(at(i))
		if i%10 == 0 {
			s.Line(at(i).Add(30 * time.Minute))
		}
	}
	s.Logins = 1
	s.finish([]Window{{From: began, To: at(n)}}, at(n))
	require.LessOrEqual(t, len(s.Covered), maxStretches)
	long := 0
	for _, c := range s.Covered {
		require.LessOrEqual(t, c.To.Sub(c.From), 30*time.Minute)
		if c.To.After(c.From) {
			long++
		}
	}
	require.Equal(t, n/10, long, "the longest are kept")
	require.Len(t, s.Notes, 1)
	require.Equal(t, event.TooMany, s.Notes[0].Note)
	require.Equal(t, n-len(s.Covered), s.Notes[0].Count)
}

func TestGapsAndStretchesMakeUpEachWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hour := func(n int) time.Time { return day(1).Add(time.Duration(n) * time.Hour) }
		s := Stretches{quiet: time.Duration(rapid.IntRange(1, 5).Draw(t, "quiet")) * time.Hour}
		hours := rapid.SliceOfN(rapid.IntRange(0, 100), 0, 40).Draw(t, "lines")
		for _, h := range hours {
			s.Add(hour(h))
		}
		for i, x := range s.all {
			if i > 0 && x.From.Sub(s.all[i-1].To) <= s.quiet {
				t.Fatalf("%v stands apart from %v", x, s.all[i-1])
			}
		}
		for _, h := range hours {
			held := false
			for _, x := range s.all {
				held = held || !hour(h).Before(x.From) && !hour(h).After(x.To)
			}
			if !held {
				t.Fatalf("a line is in no stretch: %v %v", hour(h), s.all)
			}
		}
		from := rapid.IntRange(0, 90).Draw(t, "from")
		w := Window{hour(from), hour(from + rapid.IntRange(1, 30).Draw(t, "hours"))}
		all := gaps([]Window{w}, s.all, hour(200))
		for m := w.From.Add(30 * time.Minute); m.Before(w.To); m = m.Add(time.Hour) {
			in := 0
			for _, x := range s.all {
				if m.After(x.From) && m.Before(x.To) {
					in++
				}
			}
			for _, g := range all {
				if m.After(g.From) && m.Before(g.To) {
					in++
				}
			}
			if in != 1 {
				t.Fatalf("%v is in %d: %v %v", m, in, all, s.all)
			}
		}
	})
}

func TestAListOfIndicatorsIsReadOrRefusedWithItsLine(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		n    int
		says string
	}{
		"plain":                        {"# the vendor's\n203.0.113.9\n198.51.100[.]0/24 # defanged\n\n2001:db8::1\n", 3, ""},
		"CSV":                          {"type,indicator,note\nipv4,203.0.113.9,x\nsha256,00,x\ndomain,evil.example.org,x\nhostname,KALI,x\n", 3, ""},
		"semicolons":                   {"ip;note\n203.0.113.9;x\n", 1, ""},
		"a typo":                       {"203.0.113.9\n203.0.113\n", 0, `iocs line 2: "203.0.113" is no address`},
		"a typo in CSV":                {"ip,note\n203.0.113.9,x\n203.0.113.999,x\n", 0, "iocs line 3: "},
		"domains":                      {"evil.example.org\n*.bad[.]example.net\nxn--bcher-kva.example\n", 3, ""},
		"a single word":                {"kali\n", 0, "iocs line 1: "},
		"an address that is no domain": {"203.0.113.1O\n", 0, "iocs line 1: "},
		"everybody":                    {"co.uk\n", 0, "it is everybody's below it"},
		"not in ASCII":                 {"b\u00fccher.example\n", 0, "write it in ASCII"},
		"a URL":                        {"http://evil.example.org/x\n", 0, "iocs line 1: "},
		"no head":                      {"203.0.113.9,x\n", 0, "iocs line 1: a list with columns needs a head"},
		"nothing":                      {"# none\n", 0, "iocs holds no indicator"},
		"bits too many":                {"203.0.113.9/24\n", 0, "iocs line 1: 203.0.113.9/24 has bits beyond its length"},
		"the whole web":                {"0.0.0.0/0\n", 0, "too wide"},
		"a column short":               {"note,ip\nx\n", 0, "iocs line 2: it has no column 2"},
	} {
		var x Indicators
		err := x.Read("iocs", strings.NewReader(row.text))
		if row.says != "" {
			require.ErrorContains(t, err, row.says, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, row.n, x.Len(), name)
	}
}

func TestAChangeByACredentialOfTheRollIsGradedByItsPlace(t *testing.T) {
	for name, row := range map[string]struct {
		day      int
		by, from string
		outcome  event.Outcome
		want     string
	}{
		"before the window":          {5, "uid=a,dc=x", "203.0.113.1", event.Accepted, ""},
		"from a new place":           {11, "uid=a,dc=x", "203.0.113.1", event.Accepted, "probable new-place uid=v,dc=x"},
		"from its usual place":       {11, "uid=a,dc=x", "198.51.100.1", event.Accepted, "possible usual-place uid=v,dc=x"},
		"from the device":            {11, "uid=a,dc=x", "192.0.2.10", event.Accepted, "probable by-device uid=v,dc=x"},
		"refused":                    {11, "uid=a,dc=x", "203.0.113.1", event.Failed, "possible change-refused uid=v,dc=x"},
		"by another from the device": {11, "uid=z,dc=x", "192.0.2.10", event.Accepted, "probable by-device uid=v,dc=x"},
		"by another from elsewhere":  {11, "uid=z,dc=x", "203.0.113.1", event.Accepted, ""},
	} {
		j := New(options())
		j.Add(at(1, "uid=a,dc=x", "198.51.100.1", event.Accepted))
		e := at(row.day, row.by, row.from, row.outcome)
		e.Login, e.Change, e.Target = false, event.Reset, "uid=v,dc=x"
		j.Add(e)
		var got []string
		r := j.Finish(nil, nil)
		for _, f := range r.Findings {
			require.Equal(t, Changed, f.Code, name)
			got = append(got, fmt.Sprintf("%s %s %s", f.Grade, f.Rule, f.Target))
			require.Contains(t, f.Words(), "the password of uid=v,dc=x")
		}
		require.Equal(t, row.want, strings.Join(got, ", "), name)
		require.Zero(t, r.Uses[0].Elsewhere.Count, "a change is no use of its own")
	}
}

func TestAPasswordThatWasTypedAsTheNameOfAnEntryIsNotShown(t *testing.T) {
	for typed, want := range map[string]string{"Summer2026!": "(masked, 11 characters)", "uid=v,dc=x": "uid=v,dc=x"} {
		for _, outcome := range []event.Outcome{event.Failed, event.Unknown, event.Accepted} {
			for _, what := range []event.Change{event.Reset, event.NewMember} {
				j := New(options())
				e := at(11, "uid=a,dc=x", "203.0.113.1", outcome)
				e.Login, e.Change, e.Target = false, what, typed
				if what == event.NewMember {
					e.Target, e.Group = "", typed
				}
				j.Add(e)
				all := j.Finish(nil, nil).Findings
				require.Len(t, all, 1)
				got := all[0].Target + all[0].Group
				if outcome == event.Accepted {
					require.Equal(t, typed, got, "the server knows it")
					continue
				}
				require.Equal(t, want, got)
			}
		}
	}
}

func TestChangesOfWhichTheLogSaysNothingAreOneFinding(t *testing.T) {
	j := New(options())
	for i := range 50 {
		e := at(11, "uid=a,dc=x", "203.0.113.1", event.Accepted)
		e.Login, e.Change, e.Target = false, event.Modified, fmt.Sprintf("uid=%d,dc=x", i)
		j.Add(e)
	}
	all := j.Finish(nil, nil).Findings
	require.Len(t, all, 1)
	require.Equal(t, "possible in-what-is-not-said 50", fmt.Sprint(all[0].Grade, " ", all[0].Rule, " ", all[0].Count))
}

func TestAUseByANameThatIsAGuessIsInDoubt(t *testing.T) {
	for _, row := range []struct {
		accounts []Account
		want     string
	}{
		{[]Account{{event.DN, "x", true}}, "possible [named-by-login]"},
		{[]Account{{event.DN, "x", true}, {event.DN, "x", false}}, "probable []"},
		{[]Account{{event.DN, "x", false}, {event.DN, "x", true}}, "probable []"},
	} {
		o := options()
		o.Credentials[1].Accounts, o.Usual = row.accounts, []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")}
		j := New(o)
		j.Add(at(11, "x", "203.0.113.1", event.Accepted))
		found := j.Finish(nil, nil).Findings
		require.Len(t, found, 1)
		require.Equal(t, row.want, fmt.Sprint(found[0].Grade, " ", found[0].Doubts))
	}
}
