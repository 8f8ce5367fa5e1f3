package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	notified "rollcall/internal/notify/settings"
	"rollcall/internal/people"
	"rollcall/internal/wire"
)

// scenes are campaigns on one estate, each of which rotates everything again.
var scenes = []struct {
	name     string
	settings func(*Settings)
	before   func(ctx context.Context, s *stage) error
	when     func(st Status, w WaveStatus) bool        // when during is due; nil: when the first credential has died
	during   func(ctx context.Context, s *stage) error // meanwhile
	launched bool
	people   bool                              // with a task of people
	watched  bool                              // a device comes back meanwhile
	doors    bool                              // with a door, and with people a task that it proves
	twoDoors bool                              // which has two
	with     func(spec []byte) ([]byte, error) // what else is in the campaign file
}{
	{name: "waves", during: func(ctx context.Context, s *stage) error {
		// A first pass that finds the replica behind, a later one that does
		// not.
		s.estate.Replica.PauseReplication()
		if err := s.await(ctx, func(st Status, w WaveStatus) bool { return w.Pass > 1 || st.Phase == ledger.Closed }); err != nil {
			return err
		}
		return s.estate.Replica.ResumeReplication(ctx)
	}},
	{name: "paused", during: func(ctx context.Context, s *stage) error {
		return errors.Join(s.tell(ctx, UpdatePause, operator), s.tell(ctx, UpdateResume, operator))
	}},
	// Two people, one after the other, whose words are recorded in turn.
	{name: "together", settings: func(s *Settings) { s.RetryMax, s.Deadline = time.Minute, time.Hour }, during: func(ctx context.Context, s *stage) error {
		s.estate.Replica.PauseReplication()
		if err := s.await(ctx, func(st Status, w WaveStatus) bool { return w.Pass > 1 }); err != nil {
			return err
		}
		paused := make(chan error, 1)
		go func() { paused <- s.tell(ctx, UpdatePause, "alice@one") }()
		err := s.await(ctx, func(st Status, _ WaveStatus) bool { return st.Phase == ledger.Paused })
		return errors.Join(err, s.tell(ctx, UpdateResume, "bob@two"), <-paused,
			s.tell(ctx, UpdateClose, wire.Acceptance{Actor: "alice@one", Reason: "it does not follow", Owner: "bob"}), s.estate.Replica.ResumeReplication(ctx))
	}},
	// Consumers are to read the new value while their batch is worked on.
	{name: "reloaded", with: withHooks},
	{name: "aborted", during: func(ctx context.Context, s *stage) error { return s.tell(ctx, UpdateAbort, operator) }},
	{name: "cancelled", during: func(ctx context.Context, s *stage) error {
		return s.CancelWorkflow(ctx, CampaignID(estate.Device), "")
	}},
	{name: "continued", settings: func(s *Settings) { s.Batch, s.Parallel = 1, 16 }},
	{name: "launched", launched: true},
	{name: "leftout", settings: func(s *Settings) { s.RetryMax, s.Deadline = time.Minute, time.Hour }, during: func(ctx context.Context, s *stage) error {
		s.estate.Replica.PauseReplication()
		if err := s.await(ctx, func(st Status, w WaveStatus) bool { return w.Pass > 1 || st.Phase == ledger.Closed }); err != nil {
			return err
		}
		return s.tell(ctx, UpdateLeaveOut, LeaveOut{Server: s.estate.Replica.LDAPS(), Actor: operator, Reason: "it does not follow"})
	}},
	// The replica does not follow, and a person leaves it at that.
	{name: "closed", settings: func(s *Settings) { s.RetryMax, s.Deadline = time.Minute, time.Hour }, during: func(ctx context.Context, s *stage) error {
		s.estate.Replica.PauseReplication()
		if err := s.await(ctx, func(st Status, w WaveStatus) bool { return w.Pass > 2 }); err != nil {
			return err
		}
		return errors.Join(s.tell(ctx, UpdateClose, wire.Acceptance{Actor: operator, Reason: "it does not follow", Owner: "whoever runs it"}), s.estate.Replica.ResumeReplication(ctx))
	}},
	// A secret named an account that nobody has. It was corrected, and the
	// campaign lists again while the replica does not follow.
	{name: "relisted", settings: slowly, during: correctedMeanwhile},
	// The same, by a version that looks at what goes on in its own wave alone
	// when the campaign ends.
	{name: "goeson", settings: slowly, during: correctedMeanwhile},
	// Nothing is left but what only a person can put right. He corrects one of
	// them, and leaves the others open.
	{name: "stays", settings: waits, when: staysForPerson, during: correctedInTheEnd},
	// The same, by a version that stays no longer than one of them is open.
	{name: "mend", settings: waits, when: staysForPerson, during: correctedInTheEnd},
	// A login to Vault that cannot be tried from here. What it could read waits
	// until a person says that it may go on.
	{name: "accepted", settings: func(s *Settings) { s.Deadline = 20 * time.Second }, when: func(st Status, w WaveStatus) bool {
		return st.Wave == 1 && w.Pass > 0
	}, before: func(ctx context.Context, s *stage) error {
		_, err := s.estate.Vault.Client().Logical().Write("auth/approle/role/"+s.role(), map[string]any{"secret_id_bound_cidrs": "192.0.2.7/32"})
		return err
	}, during: func(ctx context.Context, s *stage) error {
		index, err := s.store.ReadIndex(ctx, fmt.Sprintf("%s-%d", estate.Device, s.n))
		if err != nil {
			return err
		}
		if len(index.Logins) != 1 {
			return fmt.Errorf("%d logins are on the roll", len(index.Logins))
		}
		return s.tell(ctx, UpdateAcceptOpen, AcceptOpen{Login: index.Logins[0], Actor: operator, Reason: "its address is another one"})
	}},
	// Two ends by two people, of whom one gives his to the other. People wake
	// it, and its own timer does.
	{name: "people", people: true, when: waitsForPeople, during: peopleDoIt},
	// The same, by a version that answers once what was given on is handed
	// over.
	{name: "given", people: true, when: waitsForPeople, during: peopleDoIt},
	// A door goes on to take the stolen value, past the deadline, as the file
	// says that it may.
	// With tasks that hear all of what their campaign was told.
	{name: "heard", people: true, when: waitsForPeople, during: peopleDoIt},
	{name: "doors", doors: true, before: accountIsKnown},
	// The same, by a version that asks doors in parts, each recorded as it
	// comes.
	{name: "doorparts", doors: true, before: accountIsKnown},
	// What alice has said is proved there, and not at once.
	{name: "doortask", doors: true, people: true, when: waitsForPeople, during: nasIsChanged},
	// Two doors of one task, both down, and then the second alone.
	{name: "twodoors", doors: true, twoDoors: true, people: true, before: bothDoorsAreDown, when: waitsForPeople, during: nasIsChangedBehindTwoDoors},
	// Both are up, by a version that looks at what people changed once more at
	// the end.
	{name: "tasklooked", doors: true, twoDoors: true, people: true, before: bothDoorsAreUp, when: waitsForPeople, during: nasIsChangedOnceMore},
	// The first is down, and the account has a wrong login at the second: by a
	// version that asks it again in an hour then. Nobody waits for that.
	{name: "lookspent", doors: true, twoDoors: true, people: true, before: firstDoorIsDown, when: waitsForPeople, during: nasHasWrongLoginsBehindAnOpenDoor},
	{name: "watched", people: true, watched: true, when: waitsForPeople, during: func(ctx context.Context, s *stage) error {
		return errors.Join(s.comesBack(ctx, TasksID(fmt.Sprintf("%s-%d", estate.Device, s.n)), 1), peopleDoIt(ctx, s))
	}},
	// A person pauses it, and the device is on the network for a while.
	{name: "held", watched: true, settings: func(s *Settings) { s.Deadline = time.Minute }, during: func(ctx context.Context, s *stage) error {
		return errors.Join(s.tell(ctx, UpdatePause, operator), s.comesBack(ctx, CampaignID(estate.Device), 2), s.tell(ctx, UpdateResume, operator))
	}},
	// One is tried, then the login to Vault and two more, and then the rest.
	{name: "triedmore", with: withFirst, when: func(st Status, _ WaveStatus) bool { return st.Held }, during: func(ctx context.Context, s *stage) error {
		index, err := s.store.ReadIndex(ctx, fmt.Sprintf("%s-%d", estate.Device, s.n))
		if err != nil {
			return err
		}
		more := append(credential.Refs{{Page: 0, Index: 7}, {Page: 0, Index: 8}}, index.Logins...)
		return errors.Join(s.tell(ctx, UpdateTryFirst, TryFirst{Refs: more, Actor: operator}),
			s.await(ctx, func(st Status, _ WaveStatus) bool { return st.Held && len(st.Tried) == 2 }),
			s.tell(ctx, UpdateResume, operator))
	}},
	// One is tried. What is wrong in a secret is corrected and listed again
	// while the others wait; that is tried next, and then the rest.
	{name: "relistheld", with: withFirst, when: func(st Status, _ WaveStatus) bool { return st.Held }, during: func(ctx context.Context, s *stage) error {
		err := errors.Join(s.correct(ctx), s.tell(ctx, UpdateRelist, wire.RelistAsk{Proposal: "again", Actor: operator}),
			s.tell(ctx, UpdateTakeUp, wire.TakeUp{Proposal: "again", Actor: operator, Reason: "a secret named the wrong account"}))
		if err != nil {
			return err
		}
		index, err := s.store.ReadIndex(ctx, fmt.Sprintf("%s-%d", estate.Device, s.n))
		if err != nil {
			return err
		}
		now := index.Amended[0]
		return errors.Join(s.tell(ctx, UpdateTryFirst, TryFirst{Refs: append(now.Changed, now.Added...), Actor: operator}),
			s.await(ctx, func(st Status, _ WaveStatus) bool { return st.Held && len(st.Tried) == 2 }),
			s.tell(ctx, UpdateResume, operator))
	}},
	// Two logins to Vault read each other's places. One is set, and the
	// campaign is aborted before it is the other one's turn.
	{name: "circle", settings: func(s *Settings) { s.Batch = 1 }, before: func(ctx context.Context, s *stage) error { return s.secondLogin(ctx) }, when: func(st Status, w WaveStatus) bool {
		return st.Wave == 0 && w.Open == 1
	}, during: func(ctx context.Context, s *stage) error {
		return errors.Join(s.tell(ctx, UpdatePause, operator),
			s.await(ctx, func(st Status, _ WaveStatus) bool { return st.Wave == 1 }), s.tell(ctx, UpdateAbort, operator))
	}},
	// A login to Vault that nobody had listed is found and taken up while the
	// replica does not follow. It is on the roll of what follows.
	{name: "found", settings: func(s *Settings) { s.RetryMax, s.Deadline = time.Minute, time.Hour }, during: func(ctx context.Context, s *stage) error {
		s.estate.Replica.PauseReplication()
		if err := s.await(ctx, func(st Status, w WaveStatus) bool { return w.Pass > 2 }); err != nil {
			return err
		}
		if err := s.forgotten(ctx); err != nil {
			return err
		}
		return errors.Join(s.tell(ctx, UpdateRelist, wire.RelistAsk{Proposal: "again", Actor: operator}),
			s.tell(ctx, UpdateTakeUp, wire.TakeUp{Proposal: "again", Actor: operator, Reason: "a login was forgotten"}),
			s.estate.Replica.ResumeReplication(ctx))
	}},
}

// withHooks has somebody reload what is read at each path.
func withHooks(spec []byte) ([]byte, error) {
	var cfg config.Campaign
	if err := json.Unmarshal(spec, &cfg); err != nil {
		return nil, err
	}
	cfg.UsedBy = []notified.UsedBy{{Path: "kv/*", Consumers: []string{"postfix"}, Reload: &notified.Target{Name: "postfix", Command: []string{"/bin/true"}, Events: []notified.Event{notified.Reload}}}}
	return json.Marshal(&cfg)
}

// withFirst has one tried before all others.
func withFirst(spec []byte) ([]byte, error) {
	var cfg config.Campaign
	if err := json.Unmarshal(spec, &cfg); err != nil {
		return nil, err
	}
	cfg.First = &config.Selection{Only: []string{"svc-esg-0003"}}
	return json.Marshal(&cfg)
}

// slowly is for what happens while the replica does not follow.
func slowly(s *Settings) { s.RetryMax, s.Deadline = time.Minute, time.Hour }

// correctedMeanwhile is that of a secret which named an account that nobody
// has.
func correctedMeanwhile(ctx context.Context, s *stage) error {
	s.estate.Replica.PauseReplication()
	if err := s.await(ctx, func(st Status, w WaveStatus) bool { return w.Pass > 2 }); err != nil {
		return err
	}
	if err := s.correct(ctx); err != nil {
		return err
	}
	return errors.Join(s.tell(ctx, UpdateRelist, wire.RelistAsk{Proposal: "again", Actor: operator}),
		s.tell(ctx, UpdateTakeUp, wire.TakeUp{Proposal: "again", Actor: operator, Reason: "a secret named the wrong account"}),
		s.estate.Replica.ResumeReplication(ctx))
}

// comesBack has the device answer until a workflow has sent so many events to
// the ledger, of which that is the last.
func (s *stage) comesBack(ctx context.Context, workflow string, events int) error {
	s.device.Answer()
	for told := 0; told < events; {
		told = 0
		h := s.GetWorkflowHistory(ctx, workflow, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for h.HasNext() {
			e, err := h.Next()
			if err != nil {
				return err
			}
			if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == wire.DoRecordEvent {
				told++
			}
		}
	}
	return s.device.Silence()
}

// waits has a campaign stay for a person.
func waits(s *Settings) { s.Wait = time.Hour }

// correctedInTheEnd has a person put right one of what needs him, and close the
// campaign with the others open.
func correctedInTheEnd(ctx context.Context, s *stage) error {
	if err := s.correct(ctx); err != nil {
		return err
	}
	return errors.Join(s.tell(ctx, UpdateRelist, wire.RelistAsk{Proposal: "again", Actor: operator}),
		s.tell(ctx, UpdateTakeUp, wire.TakeUp{Proposal: "again", Actor: operator, Reason: "a secret named the wrong account"}),
		s.await(ctx, staysForPerson),
		s.tell(ctx, UpdateClose, wire.Acceptance{Actor: operator, Reason: "they go anyway", Owner: "whoever runs it"}))
}

func staysForPerson(st Status, _ WaveStatus) bool { return !st.Stays.IsZero() }

func waitsForPeople(st Status, _ WaveStatus) bool { return st.People }

// peopleDoIt is what alice and bob say.
func peopleDoIt(ctx context.Context, s *stage) error {
	alice, err := s.store.Person(ctx, "people/alice")
	if err != nil {
		return err
	}
	bob, err := s.store.Person(ctx, "people/bob")
	if err != nil {
		return err
	}
	id := credential.PersonAuthority + "/" + estate.Device + "/radius"
	for _, said := range []struct {
		by string
		st people.Statement
	}{
		{alice.ID, people.Statement{Does: people.Done, End: "gateway"}},
		{bob.ID, people.Statement{Does: people.Reassign, End: "NPS", To: "people/alice", Note: "on leave"}},
		{alice.ID, people.Statement{Does: people.Done, End: "NPS"}},
	} {
		if err := s.say(ctx, said.by, id, said.st); err != nil {
			return err
		}
	}
	return nil
}

// say has a person say something of a task, which the campaign looks at.
func (s *stage) say(ctx context.Context, by, id string, st people.Statement) error {
	campaign := fmt.Sprintf("%s-%d", estate.Device, s.n)
	if _, err := s.store.WriteStatement(ctx, by, campaign, id, st); err != nil {
		return err
	}
	h, err := s.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{WorkflowID: TasksID(campaign), UpdateName: UpdateLook, Args: []any{Look{}}, WaitForStage: client.WorkflowUpdateStageCompleted})
	if err == nil {
		err = h.Get(ctx, nil)
	}
	return err
}
