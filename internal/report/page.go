package report

import (
	"fmt"
	"html/template"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/timeline"
)

// pageData is what the HTML template shows. The template decides nothing but
// whether a part is there.
type pageData struct {
	CSP string
	CSS template.CSS
	JS  template.JS

	State *ledger.State
	Made  time.Time
	Took  time.Duration // 0 while it runs
	// Containment of the device, in words; empty where the ledger has none.
	Containment string
	Directories []directory
	Zone        string
	Again       string // how many an earlier campaign had killed already; empty: none
	Did         []did
	Claimed     string
	Legend      []legendPart
	All         tally
	Verdict     verdict
	Bar         []barPart
	Times       []tile
	Shapes      template.HTML
	Picture     *campaignPicture // nil where nothing is listed
	Proofs      []proofCount
	LeftOut     []leftOut
	Doors       []doorSum
	AfterDoors  string
	Accepted    []ledger.AcceptedLogin
	LeftOpen    string       // who accepted what is open; empty: nobody
	Unowned     string       // of how much nobody is named who sees to it
	Profile     *pageProfile // nil without
	Tasks       []StatusTask // of people
	Open        []card
	Findings    []card
	Logs        *logsShown // what logs show; nil where none were read
	NoRecord    string
	HandOver    []*ledger.CredentialState
	Campaign    []campaignCard
	HandOvers   int // that there are, of which HandOver has the first
	Excluded    []ledger.ExcludedCredential
	Listed      int
	List        rowList
	Residual    []string
	Ledger      Verification
	Verified    bool
}

type verdict struct{ Class, Title, Text string }

type barPart struct {
	Class    string
	X, Width int // of 1000
}

// legendPart says what a colour of the bar is.
type legendPart struct{ Class, Words string }

type tile struct{ Label, Value, Note string }

type proofCount struct {
	Proof protocol.Proof
	Count int
	Means string
}

// card is one reason or finding and the credentials it is about.
type card struct {
	Code   string
	Urgent bool
	advice
	Count       int
	Shared      string // the detail, where all have the same
	First, Rest []cardLine
	More        int // that are not in Rest
}

type cardLine struct {
	*ledger.CredentialState
	Detail string // empty if Shared says it
}

// Hidden says what outages hid of it, and since when.
func (l cardLine) Hidden() string { return hiddenBy(l.CredentialState) }

// campaignCard are the findings of one code about the campaign as a whole.
type campaignCard struct {
	Code credential.FindingCode
	advice
	Details []string
}

// unfolded is how many credentials a card shows at once.
const unfolded = 8

func newCard(code string, a advice, lines []cardLine) card {
	c := card{Code: code, advice: a, Count: len(lines), Urgent: code == string(protocol.ReasonOldAccepted)}
	same := len(lines) > 1
	for _, l := range lines {
		same = same && l.Detail == lines[0].Detail
	}
	if same {
		c.Shared = lines[0].Detail
		for i := range lines {
			lines[i].Detail = ""
		}
	}
	lines = byDetail(lines, func(l cardLine) string { return l.Detail })
	n := min(unfolded, len(lines))
	for i := len(lines) - 1; i > 0; i-- {
		// What is folded away begins anew.
		if lines[i].Detail != "" && lines[i].Detail == lines[i-1].Detail && i != n {
			lines[i].Detail = asAbove
		}
	}
	c.First, c.Rest = lines[:n], lines[n:]
	return c
}

type row struct {
	*ledger.CredentialState
	At      standing
	Words   string // At, for people
	Took    time.Duration
	Places  []pathVersions
	Advice  advice
	HasNext bool
	Some    bool     // it was not shown dead everywhere
	Share   string   // on how many servers it is dead, where that is not all
	Unasked string   // what stands for an old value that no server was asked about
	Used    []string // signs of use by others
}

// pathVersions is one path in Vault and its versions; 0 is unknown.
type pathVersions struct {
	Path     string
	From, To int
}

func newPage(s *ledger.State, v Verification, made time.Time) pageData {
	f := figuresOf(s)
	d := pageData{
		CSP: contentSecurityPolicy(reportCSS),
		CSS: template.CSS(reportCSS), //nolint:gosec // embedded at build time
		JS:  template.JS(pageJS),     //nolint:gosec // embedded at build time

		State: s, Made: made, All: f.All, Verdict: verdictOf(s, f.All), Bar: barOf(f.All), Times: tilesOf(f),
		Directories: directoriesOf(s), Zone: zoneOf(s).String(), Again: sentence(againLine(f)), Did: actionsOf(s), Claimed: claimed, Legend: legendOf(f.All),
		HandOver: f.HandOver, Residual: residualOf(s, f), Ledger: v, Verified: !v.At.IsZero() && len(v.Problems) == 0,
	}
	if s.OpenAccepted != nil {
		d.LeftOpen = sentence(leftOpen(s.OpenAccepted))
	}
	d.Unowned = unowned(s)
	if s.Containment != nil {
		d.Containment = containment(s)
	}
	d.Doors, d.AfterDoors = doorsOf(s), afterDoors
	d.Logs, d.NoRecord = logsOf(s, mostSigned), noRecordMeans
	d.LeftOut, d.Accepted, d.Profile, d.Tasks = leftOutOf(s), s.Accepted, newPageProfile(s), tasksFor(s, s.LatestAt)
	for _, f := range s.Findings {
		i := slices.IndexFunc(d.Campaign, func(c campaignCard) bool { return c.Code == f.Code })
		if i < 0 {
			i = len(d.Campaign)
			d.Campaign = append(d.Campaign, campaignCard{Code: f.Code, advice: findingAdvice(f.Code)})
		}
		d.Campaign[i].Details = append(d.Campaign[i].Details, f.Detail)
	}
	if !s.ClosedAt.IsZero() && !s.StartedAt.IsZero() {
		d.Took = s.ClosedAt.Sub(s.StartedAt)
	}
	for _, p := range []protocol.Proof{protocol.ProofBind, protocol.ProofRevoked, protocol.ProofDoors, protocol.ProofMetadata, protocol.ProofAttested} {
		if f.ByProof[p] > 0 {
			d.Proofs = append(d.Proofs, proofCount{p, f.ByProof[p], proofs[p]})
		}
	}
	for _, g := range f.ByReason {
		code := string(g.Reason)
		if code == "" {
			code = "not-reached"
		}
		var lines []cardLine
		for _, l := range g.Lines {
			lines = append(lines, cardLine{l, l.Detail})
		}
		d.Open = append(d.Open, newCard(code, adviceFor(g.Reason), lines))
	}
	for _, g := range f.ByFinding {
		var lines []cardLine
		for _, l := range g.Lines {
			lines = append(lines, cardLine(l))
		}
		d.Findings = append(d.Findings, newCard(string(g.Code), findingAdvice(g.Code), lines))
	}
	d.HandOvers, d.Excluded, d.Listed = len(d.HandOver), s.Excluded, s.Len()
	d.Shapes, d.Picture = timeline.Shapes(), newCampaignPicture(s, f)
	d.List = rowList{State: s, Of: s.All()}
	return d
}

func verdictOf(s *ledger.State, t tally) verdict {
	rest := Plural(t.notDead(), "credential is", "credentials are")
	if e := endingOf(s, t); e != nil {
		text := e.Text
		if t.notDead() > 0 {
			text += " " + rest + " not proved dead: count each as usable by whoever stole it."
		}
		return verdict{"bad", e.Title, text + onSomeToo(t)}
	}
	switch {
	case s.Phase != ledger.Closed:
		return verdict{"warn", "Not finished", fmt.Sprintf("The campaign is %s. Count every credential that is not proved dead as usable by whoever stole it.", s.Phase)}
	case t.Listed == 0:
		return verdict{"warn", "Empty", "No credential was listed. Check the sources before drawing any comfort from this report."}
	case t.notDead() == 0 && t.AtDoors > 0 && t.Fewer == 0:
		return verdict{"warn", "Dead, but not at every door", Plural(t.AtDoors, "credential was", "credentials were") + " proved dead without a door that a person left out. Count the stolen values as good there."}
	case t.notDead() == 0 && t.Fewer > 0:
		return verdict{"warn", "Dead, but not on every server", Plural(t.Fewer, "credential was", "credentials were") + " proved dead without a server that a person left out. Count the stolen values as good there."}
	case t.notDead() == 0 && len(incomplete(s)) > 0:
		return verdict{"warn", "Dead, but perhaps not all", "Every listed credential is dead, and the list may be incomplete: " + Plural(len(incomplete(s)), "warning says", "warnings say") + " so below."}
	case t.Attested > 0 && t.notDead() == 0:
		return verdict{"warn", "Dead, in part by people's word", Plural(t.Attested, "credential is", "credentials are") + " attested: no server was asked, and each end is done by the word of a person. All others were refused on every server of their authority, or are revoked there."}
	case t.notDead() == 0:
		return verdict{"good", "Clean", "Every listed credential was refused on every server of its authority, as a wrong secret, or is revoked there."}
	default:
		return verdict{"bad", "Ended with exceptions", rest + " not proved dead. Each needs an owner; the reasons are below." + onSomeToo(t)}
	}
}

// onSomeToo goes behind a verdict that is about something else.
func onSomeToo(t tally) string {
	if t.OnSome == 0 {
		return ""
	}
	return " " + Plural(t.OnSome, "credential is", "credentials are") + " dead on some " + t.Places() + " only, because a person had left one out."
}

func barOf(t tally) []barPart {
	n := shares(1000, t.Listed, t.OnAll(), t.OnSome, t.Attested, t.Open+t.Exceptions, t.InWork)
	var parts []barPart
	x := 0
	for i, class := range []string{"dead", "some", "attested", "open", "work"} {
		if n[i] > 0 {
			parts = append(parts, barPart{class, x, n[i]})
			x += n[i]
		}
	}
	return parts
}

func legendOf(t tally) (out []legendPart) {
	for _, p := range []struct {
		n            int
		class, words string
	}{
		{t.OnAll(), "dead", "dead on all " + t.Places()}, {t.OnSome, "some", "dead on some only"}, {t.Attested, "attested", "attested by people"},
		{t.Open + t.Exceptions, "open", "not proved dead"}, {t.InWork, "work", "in work"}, {t.Waiting, "rest", "waiting"},
	} {
		if p.n > 0 {
			out = append(out, legendPart{p.class, fmt.Sprintf("%d %s", p.n, p.words)})
		}
	}
	return out
}

func tilesOf(f figures) []tile {
	var out []tile
	if f.All.Dead > 0 {
		out = append(out, tile{"First dead", span(f.FirstDead), "after the start"}, tile{"Last dead", span(f.LastDead), "after the start"})
	}
	if f.Measured > 0 {
		out = append(out, tile{"Set to proof, median", span(f.Median), Plural(f.Measured, "credential", "credentials")},
			tile{"Set to proof, p99", span(f.P99), "the slowest percent"})
	}
	return out
}

func newRow(l *ledger.CredentialState) row {
	r := row{CredentialState: l, At: standingOf(l), Unasked: "not known here"}
	if l.Proof == protocol.ProofRevoked {
		r.Unasked = "no longer listed"
	}
	r.Words = map[standing]string{waiting: "waiting", inWork: "in work", open: "open", exception: "exception", dead: "dead"}[r.At]
	if r.At == dead && !l.SetAt.IsZero() {
		r.Took = l.DeadAt.Sub(l.SetAt)
	}
	if r.At == dead && len(l.LeftOut) > 0 {
		r.Share = shareOf(l)
	}
	if onSome(l) {
		r.Some, r.Words = true, "partly dead"
	}
	if r.At == open || r.At == exception {
		r.Advice, r.HasNext = adviceFor(l.Reason), true
	}
	for _, p := range l.Paths {
		r.Places = append(r.Places, pathVersions{p.String(), version(l.From, p), version(l.To, p)})
	}
	return r
}

// version finds a path's version under either of its two spellings.
func version(in map[string]int, p credential.Path) int {
	if v, ok := in[p.String()]; ok {
		return v
	}
	return in[p.Mount+"/"+p.Path]
}

func residualOf(s *ledger.State, f figures) []string {
	var out []string
	if n := f.ByProof[protocol.ProofMetadata]; n > 0 {
		out = append(out, Plural(n, "credential is", "credentials are")+" proved dead by the change time alone, because the stolen value was not known here.")
	}
	if n := f.All.Fewer; n > 0 {
		out = append(out, Plural(n, "credential is", "credentials are")+" proved dead without a server that a person left out. What was stolen may still be good there.")
	}
	if n := f.All.AtDoors; n > 0 {
		out = append(out, Plural(n, "credential is", "credentials are")+" proved dead without a door that a person left out. What was stolen may still be good there.")
	}
	if n := len(s.Excluded); n > 0 {
		out = append(out, Plural(n, "credential was", "credentials were")+" excluded by a person and not rotated. See the reasons above.")
	}
	return append(out, residual...)
}
