package report

import (
	"fmt"
	"iter"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return noon.Add(d) }

const sampleCampaign = "esg-01-20261123"

// log builds the entries of a ledger; reports are made from the real fold.
type log struct{ entries []ledger.Entry }

func (l *log) add(e ledger.Entry, pass string) {
	e.Campaign, e.ID = sampleCampaign, ledger.EntryID(sampleCampaign, e.Credential, pass, e.Event)
	l.entries = append(l.entries, e)
}

func (l *log) all() iter.Seq2[uint64, ledger.Entry] {
	return func(yield func(uint64, ledger.Entry) bool) {
		for i, e := range l.entries {
			if !yield(uint64(i), e) {
				return
			}
		}
	}
}

func (l *log) fold() *ledger.State {
	s := ledger.NewState()
	for index, e := range l.all() {
		s.Add(index, e)
	}
	return s
}

func (l *log) start() {
	l.add(ledger.Entry{At: noon, Event: ledger.CampaignStarted, Device: "esg-01", Actor: "operator@bastion", Program: "rollcall v1.2.3",
		Detail: "2026-11-01T00:00:00Z to 2026-11-23T09:30:00Z"}, "")
}

func (l *log) list(id, name, authority string, wave int, kind credential.Kind, paths ...string) {
	e := ledger.Entry{At: at(time.Second), Event: ledger.Listed, Credential: id, Name: name, Kind: kind, Authority: authority, Wave: wave,
		Reasons: []credential.Reason{{Source: "manifest", Type: "manifest", Detail: "esg-01.csv:7"}}}
	if id == "corp/0001" || id == "corp/0002" {
		e.UsedBy = []string{"postfix on mx1", "postfix on mx2"}
	}
	for _, p := range paths {
		path, err := credential.ParsePath(p)
		if err != nil {
			panic(err)
		}
		e.Paths = append(e.Paths, path)
	}
	l.add(e, "")
}

func (l *log) rollClosed(n int) {
	l.add(ledger.Entry{At: at(time.Second), Event: ledger.RollClosed, Counts: &ledger.Counts{Listed: n}}, "")
}

func (l *log) die(id string, set, died time.Duration, proof protocol.Proof, from, to map[string]int, servers ...string) {
	l.add(ledger.Entry{At: at(set), Event: ledger.EventIntent, Credential: id, Attempt: 1, From: from}, "1")
	e := ledger.Entry{At: at(died), Event: ledger.EventOutcome, Credential: id, Attempt: 1, Proof: proof, SetAt: at(set), From: from, To: to}
	for _, s := range servers {
		ev := protocol.Evidence{Server: s, At: at(died).Format("2006-01-02T15:04:05.000Z"), New: protocol.Accepted, Changed: "20261123120003.000001Z"}
		if proof == protocol.ProofBind {
			ev.Old = protocol.Refused
		}
		e.Evidence = append(e.Evidence, ev)
	}
	l.add(e, "1")
}

func (l *log) find(id string, code credential.FindingCode, detail string) {
	l.add(ledger.Entry{At: at(2 * time.Second), Event: ledger.EventFinding, Credential: id, Finding: code, Detail: detail}, string(code))
}

func (l *log) open(id string, e ledger.Event, s protocol.Step, r protocol.Reason, server, detail string) {
	l.add(ledger.Entry{At: at(9 * time.Second), Event: e, Credential: id, Step: s, Reason: r, Server: server, Detail: detail}, "1")
}

// hostile is an entry that somebody named with care.
const hostile = "uid=\"><script>alert(1)</script>\x1b[2J\u202Egro,ou=people"

var near, far = "ldaps://ldap1.example.org", "ldaps://ldap2.example.org"

// sample is a campaign with one of everything; closed says whether it ended.
func sample(closed bool) *log {
	l := &log{}
	l.start()
	people := func(uid string) string { return "uid=" + uid + ",ou=people,dc=example,dc=org" }
	l.list("corp/0001", people("svc-relay"), "corp", 0, credential.LDAPPassword, "kv/apps/esg-01/relay#password")
	l.list("corp/0002", people("svc-scan"), "corp", 0, credential.LDAPPassword, "kv/apps/esg-01/scan#password", "kv/shared/scan#password")
	l.list("corp/0003", people("svc-changed"), "corp", 0, credential.LDAPPassword, "kv/apps/esg-01/changed#password")
	l.list("corp/0004", people("svc-far"), "corp", 1, credential.LDAPPassword, "kv/apps/esg-01/far#password")
	l.list("corp/0005", hostile, "corp", 1, credential.LDAPPassword, "kv/rollcall/corp/x#password")
	l.list("unmatched/kv/apps/esg-01/old#password", "kv/apps/esg-01/old#password", "corp", 1, credential.LDAPPassword, "kv/apps/esg-01/old#password")
	l.list("vault/approle/esg-01", "approle/esg-01", "vault", 2, credential.AppRoleSecretID, "kv/apps/esg-01/vault#secret_id")
	l.add(ledger.Entry{At: at(time.Second), Event: ledger.Excluded, Credential: "corp/0009", Name: people("breakglass"), Detail: "sealed envelope, rotated by hand on 2026-11-22"}, "")
	l.rollClosed(7)
	v := func(n int, paths ...string) map[string]int {
		m := map[string]int{}
		for _, p := range paths {
			m[p] = n
		}
		return m
	}
	l.die("corp/0001", 1500*time.Millisecond, 2300*time.Millisecond, protocol.ProofBind, v(3, "kv/apps/esg-01/relay"), v(4, "kv/apps/esg-01/relay"), near, far)
	l.find("corp/0002", credential.FindingTwoPaths, "kv/apps/esg-01/scan#password and kv/shared/scan#password")
	l.die("corp/0002", 1600*time.Millisecond, 3*time.Second, protocol.ProofBind, v(1, "kv/apps/esg-01/scan", "kv/shared/scan"), v(2, "kv/apps/esg-01/scan", "kv/shared/scan"), near, far)
	l.find("corp/0003", credential.FindingChangedBefore, "refused on both servers before anything was set")
	l.die("corp/0003", 2*time.Second, 4*time.Second, protocol.ProofMetadata, v(1, "kv/apps/esg-01/changed"), v(2, "kv/apps/esg-01/changed"), near, far)
	end := ledger.EventOpen
	if closed {
		end = ledger.Exception
	}
	l.open("corp/0004", end, protocol.Prove, protocol.ReasonOldAccepted, far, "this server still accepts the stolen value")
	l.open("unmatched/kv/apps/esg-01/old#password", ledger.Exception, protocol.Precheck, protocol.ReasonNoAccount, "", "no entry matches uid=old")
	l.find("vault/approle/esg-01", credential.FindingTokensRevoked, "2 tokens")
	if closed {
		l.die("corp/0005", 5*time.Second, 6*time.Second, protocol.ProofBind, nil, v(1, "kv/rollcall/corp/x"), near, far)
		l.die("vault/approle/esg-01", 7*time.Second, 7200*time.Millisecond, protocol.ProofRevoked, v(1, "kv/apps/esg-01/vault"), v(2, "kv/apps/esg-01/vault"), "https://vault.example.org:8200")
		l.add(ledger.Entry{At: at(20 * time.Second), Event: ledger.CampaignClosed, Counts: &ledger.Counts{Listed: 7, Excluded: 1, Dead: 5, Open: 2}}, "")
	} else {
		l.add(ledger.Entry{At: at(8 * time.Second), Event: ledger.EventIntent, Credential: "corp/0005", Attempt: 1}, "1")
	}
	return l
}

// sampleLeftOut is a campaign that ended with all dead, one of them without a
// server that a person had left out.
func sampleLeftOut() *log {
	l := &log{}
	l.start()
	l.entries[0].Servers = map[string][]string{"corp": {near, far}}
	for n := range 2 {
		l.list(fmt.Sprintf("corp/%04d", n), fmt.Sprintf("uid=svc-%d,ou=people,dc=example,dc=org", n), "corp", 0, credential.LDAPPassword, fmt.Sprintf("kv/apps/esg-01/%d#password", n))
	}
	l.rollClosed(2)
	l.die("corp/0000", time.Second, 2*time.Second, protocol.ProofBind, nil, nil, near, far)
	l.open("corp/0001", ledger.EventOpen, protocol.Prove, protocol.ReasonUnreachable, far, "")
	l.add(ledger.Entry{At: at(10 * time.Second), Event: ledger.ServerLeftOut, Authority: "corp", Server: far, Actor: "operator@bastion", Detail: "its disk burnt, a new one comes on Monday"}, "1")
	l.die("corp/0001", 3*time.Second, 11*time.Second, protocol.ProofBind, nil, nil, near)
	l.entries[len(l.entries)-1].LeftOut = []string{far}
	l.add(ledger.Entry{At: at(20 * time.Second), Event: ledger.CampaignClosed, Counts: &ledger.Counts{Listed: 2, Dead: 2}}, "")
	return l
}

// crowd is a closed campaign of n credentials, every 97th of them open.
func crowd(n int) *ledger.State {
	l := &log{}
	l.start()
	for i := range n {
		l.list(fmt.Sprintf("corp/%06d", i), fmt.Sprintf("uid=svc-%06d,ou=people,dc=example,dc=org", i), "corp", i*4/n, credential.LDAPPassword, fmt.Sprintf("kv/apps/esg-01/%06d#password", i))
	}
	l.rollClosed(n)
	for i := range n {
		id := fmt.Sprintf("corp/%06d", i)
		set := time.Duration(i) * 3 * time.Millisecond
		if i%97 == 5 {
			l.open(id, ledger.Exception, protocol.Prove, []protocol.Reason{protocol.ReasonLagging, protocol.ReasonLocked}[i%2], far, "the account is locked, so a refusal proves nothing")
			continue
		}
		l.die(id, set, set+time.Duration(200+i%900)*time.Millisecond, protocol.ProofBind, map[string]int{fmt.Sprintf("kv/apps/esg-01/%06d", i): 1}, map[string]int{fmt.Sprintf("kv/apps/esg-01/%06d", i): 2}, near, far)
	}
	l.add(ledger.Entry{At: at(20 * time.Second), Event: ledger.CampaignClosed, Counts: &ledger.Counts{Listed: n}}, "")
	return l.fold()
}

var verified = Verification{
	Size: 42, Root: "q1Zq5WnYVYp2lT1sCWl5ZbY6rPqO1hIhdmbM4Yx0v0o=", At: at(25 * time.Second),
	VerifierKey: "rollcall/esg-01-20261123+1a2b3c4d+AZ0x1y2z", Checkpoint: "rollcall/esg-01-20261123\n42\nq1Zq5WnYVYp2lT1sCWl5ZbY6rPqO1hIhdmbM4Yx0v0o=\n",
	Command: "rollcall ledger verify esg-01-20261123 --key ledger.key --anchor anchor",
	Fetch:   []string{"rollcall ledger key esg-01-20261123 > ledger.key", "rollcall ledger anchor esg-01-20261123 > anchor"},
}
