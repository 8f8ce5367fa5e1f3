package ownmount

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/people"
	"rollcall/internal/vault"
)

// What people's tasks need. Below HandoverFolder each person has a card for
// each of his tasks, with the new value where Rollcall made one; below
// AttestFolder he alone writes what he has done. TasksFolder says when a task
// was opened, by Vault's clock.
const (
	HandoverFolder = "handover"
	AttestFolder   = "attest"
	TasksFolder    = "tasks"

	cardField      = "card"
	statementField = "statement"
	seatsField     = "seats"

	opCard      = "hand a task over"
	opStatement = "say what was done"
	opTask      = "open a task"
)

// Card is what a person gets of a task.
type Card struct {
	Campaign   string          `json:"campaign"`
	Device     string          `json:"device"`
	Credential string          `json:"credential"` // its id
	Name       string          `json:"name"`
	Kind       credential.Kind `json:"kind"`
	Do         []string        `json:"do,omitempty"`
	Due        time.Time       `json:"due"`
	Ends       []string        `json:"ends"` // this person's own

	Value credential.Secret `json:"-"` // in a field of its own
	Path  string            `json:"-"` // where it lies, mount/path

	Written time.Time `json:"-"` // when it was written last, by Vault's clock
}

func cardPath(entity, campaign, id string) string {
	return HandoverFolder + "/" + encodeSegment(entity) + "/" + encodeSegment(campaign) + "/" + encodeSegment(id)
}

// CardPlace is where a person's card lies, as a place of the credential's
// value.
func (s *Store) CardPlace(entity, campaign, id string) credential.Path {
	return credential.Path{Mount: s.mount, Path: cardPath(entity, campaign, id), Field: credential.AnyByHand.Traits().Field}
}

// AnyCard is the API path of a card that is nobody's and in no campaign. It
// stands for all cards of a task, before it is known whose they will be: for
// rules that are about the folder, and not about one person's.
func AnyCard(mount, id string) string { return mount + "/data/" + cardPath("nobody", "any", id) }

// WriteCard makes sure that a person has a card, and no other one of that task.
func (s *Store) WriteCard(ctx context.Context, entity string, card Card) error {
	body, err := json.Marshal(card)
	if err != nil {
		return err
	}
	data := map[string]any{cardField: string(body)}
	if !card.Value.IsZero() {
		data[credential.AnyByHand.Traits().Field] = card.Value.Reveal()
	}
	at := cardPath(entity, card.Campaign, card.Credential)
	now, err := s.Get(ctx, opCard, s.mount, at, 0)
	if err != nil {
		return err
	}
	same := len(now.Data) == len(data)
	for k, v := range data {
		same = same && now.Data[k] == v
	}
	if same {
		return nil
	}
	_, err = s.Put(ctx, opCard, s.mount, at, now.Version, data)
	return err
}

// KeepCards takes a task's cards from everybody but those, and from everybody
// those that earlier campaigns have left. It says how many it took.
func (s *Store) KeepCards(ctx context.Context, campaign, id string, keep ...string) (taken int, err error) {
	entities, err := s.Names(ctx, opCard, s.mount, HandoverFolder)
	if err != nil {
		return 0, err
	}
	for _, e := range entities {
		entity, ok := decodeSegment(strings.TrimSuffix(e, "/"))
		if !ok {
			continue
		}
		folder := HandoverFolder + "/" + strings.TrimSuffix(e, "/")
		campaigns, err := s.Names(ctx, opCard, s.mount, folder)
		if err != nil {
			return taken, err
		}
		for _, c := range campaigns {
			if c == encodeSegment(campaign)+"/" && slices.Contains(keep, entity) {
				continue
			}
			at := folder + "/" + strings.TrimSuffix(c, "/")
			names, err := s.Names(ctx, opCard, s.mount, at)
			if err != nil {
				return taken, err
			}
			if slices.Contains(names, encodeSegment(id)) {
				if err := s.Purge(ctx, opCard, s.mount, at+"/"+encodeSegment(id)); err != nil {
					return taken, err
				}
				taken++
			}
		}
	}
	return taken, nil
}

// Cards are those that a person has.
func (s *Store) Cards(ctx context.Context, entity string) (out []Card, err error) {
	folder := HandoverFolder + "/" + encodeSegment(entity)
	campaigns, err := s.Names(ctx, opCard, s.mount, folder)
	if err != nil {
		return nil, err
	}
	for _, c := range campaigns {
		names, err := s.Names(ctx, opCard, s.mount, folder+"/"+strings.TrimSuffix(c, "/"))
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			at := folder + "/" + c + n
			e, err := s.Get(ctx, opCard, s.mount, at, 0)
			if err != nil {
				return nil, err
			}
			if e.Data == nil {
				continue
			}
			card := Card{Path: s.mount + "/" + at, Written: e.Written}
			text, _ := e.Data[cardField].(string)
			if err := json.Unmarshal([]byte(text), &card); err != nil {
				return nil, s.Odd(opCard, s.mount+"/data/"+at, err)
			}
			value, _ := e.Data[credential.AnyByHand.Traits().Field].(string)
			card.Value = credential.NewSecret(value)
			out = append(out, card)
		}
	}
	return out, nil
}

// OpenTask notes that a task is open, once, with the entities that see to its
// ends, in their order. It gives when that was, by Vault's clock, and the
// entities as they were noted first.
func (s *Store) OpenTask(ctx context.Context, campaign, id string, entities []string) (time.Time, []string, error) {
	return s.noteSeats(ctx, campaign, id, "0", entities)
}

// TaskOpened is when a task was opened, and who saw to its ends then; false if
// it was not.
func (s *Store) TaskOpened(ctx context.Context, campaign, id string) (time.Time, []string, bool, error) {
	return s.seats(ctx, campaign, id, "0")
}

// MoveTask notes who sees to the ends of a task after so many changes.
func (s *Store) MoveTask(ctx context.Context, campaign, id string, changes int, entities []string) error {
	_, _, err := s.noteSeats(ctx, campaign, id, strconv.Itoa(changes), entities)
	return err
}

// SeatsAfter are the entities that see to the ends of a task after so many
// changes.
func (s *Store) SeatsAfter(ctx context.Context, campaign, id string, changes int) ([]string, error) {
	_, entities, found, err := s.seats(ctx, campaign, id, strconv.Itoa(changes))
	if err == nil && !found {
		err = s.Odd(opTask, s.mount+"/data/"+taskPath(campaign, id, strconv.Itoa(changes)), fmt.Errorf("nobody noted who sees to it"))
	}
	return entities, err
}

// Discard notes that the value of a task is not to be used, for the n-th time
// in a campaign.
func (s *Store) Discard(ctx context.Context, campaign, id string, n int) error {
	_, _, err := s.noteSeats(ctx, campaign, id, discarded(n), nil)
	return err
}

// Discarded reports whether that was noted.
func (s *Store) Discarded(ctx context.Context, campaign, id string, n int) (bool, error) {
	_, _, found, err := s.seats(ctx, campaign, id, discarded(n))
	return found, err
}

// HandedAgain notes that after so many discards another value was handed over,
// once, and to whom; HandedAgainAt is when that was, by Vault's clock.
func (s *Store) HandedAgain(ctx context.Context, campaign, id string, n int, entities []string) error {
	_, _, err := s.noteSeats(ctx, campaign, id, again(n), entities)
	return err
}

// HandedAgainAt is HandedAgain's time; false if it was not noted.
func (s *Store) HandedAgainAt(ctx context.Context, campaign, id string, n int) (time.Time, bool, error) {
	at, _, found, err := s.seats(ctx, campaign, id, again(n))
	return at, found, err
}

func discarded(n int) string { return "discarded-" + strconv.Itoa(n) }
func again(n int) string     { return "again-" + strconv.Itoa(n) }

// cameBack is where a campaign notes that its device answered: no id of a task
// is written like it.
const cameBack = "~device-answered"

// NoteCameBack notes that the device answered while a campaign ran: what lay in
// people's hands by then is handed over by no later one.
func (s *Store) NoteCameBack(ctx context.Context, campaign string) error {
	_, _, err := s.noteSeats(ctx, campaign, cameBack, "0", nil)
	return err
}

// CameBack reports whether that was noted.
func (s *Store) CameBack(ctx context.Context, campaign string) (bool, error) {
	_, _, found, err := s.seats(ctx, campaign, cameBack, "0")
	return found, err
}

func (s *Store) noteSeats(ctx context.Context, campaign, id, what string, entities []string) (time.Time, []string, error) {
	if at, have, found, err := s.seats(ctx, campaign, id, what); err != nil || found {
		return at, have, err
	}
	body, err := json.Marshal(entities)
	if err != nil {
		return time.Time{}, nil, err
	}
	_, err = s.Put(ctx, opTask, s.mount, taskPath(campaign, id, what), 0, map[string]any{seatsField: string(body)})
	if at, have, found, readErr := s.seats(ctx, campaign, id, what); readErr == nil && found {
		return at, have, nil // also where our own answer was lost, or another was first
	}
	return time.Time{}, nil, err
}

func (s *Store) seats(ctx context.Context, campaign, id, what string) (at time.Time, entities []string, found bool, err error) {
	path := taskPath(campaign, id, what)
	e, err := s.Get(ctx, opTask, s.mount, path, 1)
	if err != nil || e.Data == nil {
		return time.Time{}, nil, false, err
	}
	text, _ := e.Data[seatsField].(string)
	if err := json.Unmarshal([]byte(text), &entities); err != nil {
		return time.Time{}, nil, false, s.Odd(opTask, s.mount+"/data/"+path, err)
	}
	return e.Written, entities, true, nil
}

func taskPath(campaign, id, what string) string {
	return TasksFolder + "/" + encodeSegment(campaign) + "/" + encodeSegment(id) + "/" + what
}

// WriteStatement writes a person's word on a task where only he may, and gives
// its name. Once written it is nobody's to change.
func (s *Store) WriteStatement(ctx context.Context, entity, campaign, id string, st people.Statement) (string, error) {
	body, err := json.Marshal(st)
	if err != nil {
		return "", err
	}
	name := strings.ToLower(rand.Text()[:16])
	_, err = s.Put(ctx, opStatement, s.mount, statementFolder(entity, campaign, id)+"/"+name, 0, map[string]any{statementField: string(body)})
	return name, err
}

func statementFolder(entity, campaign, id string) string {
	return AttestFolder + "/" + encodeSegment(entity) + "/" + encodeSegment(campaign) + "/" + encodeSegment(id)
}

// Statements are what people said on the tasks of a campaign, by credential and
// in their order. What cannot be read is a statement that says nothing.
func (s *Store) Statements(ctx context.Context, campaign string) (map[string][]people.Statement, error) {
	entities, err := s.Names(ctx, opStatement, s.mount, AttestFolder)
	if err != nil {
		return nil, err
	}
	out := map[string][]people.Statement{}
	for _, e := range entities {
		entity, ok := decodeSegment(strings.TrimSuffix(e, "/"))
		if !ok {
			continue
		}
		folder := AttestFolder + "/" + encodeSegment(entity) + "/" + encodeSegment(campaign)
		tasks, err := s.Names(ctx, opStatement, s.mount, folder)
		if err != nil {
			return nil, err
		}
		for _, t := range tasks {
			id, ok := decodeSegment(strings.TrimSuffix(t, "/"))
			if !ok || !strings.HasSuffix(t, "/") {
				continue
			}
			names, err := s.Names(ctx, opStatement, s.mount, folder+"/"+strings.TrimSuffix(t, "/"))
			if err != nil {
				return nil, err
			}
			for _, n := range names {
				st, found, err := s.statement(ctx, folder+"/"+t+n)
				if err != nil {
					return nil, err
				}
				if st.ID, st.Entity = n, entity; found {
					out[id] = append(out[id], st)
				}
			}
		}
	}
	for _, of := range out {
		slices.SortStableFunc(of, func(a, b people.Statement) int { return a.At.Compare(b.At) })
	}
	return out, nil
}

// OwnWords are what a person has said on a task, in no order; nothing where his
// policy is of before he might read that.
func (s *Store) OwnWords(ctx context.Context, me, campaign, id string) (out []people.Statement, err error) {
	folder := statementFolder(me, campaign, id)
	names, err := s.Names(ctx, opStatement, s.mount, folder)
	for _, n := range names {
		st, found, readErr := s.statement(ctx, folder+"/"+n)
		if err = readErr; err != nil {
			break
		}
		if st.ID, st.Entity = n, me; found {
			out = append(out, st)
		}
	}
	if vault.IsDenied(err) {
		return nil, nil
	}
	return out, err
}

func (s *Store) statement(ctx context.Context, at string) (st people.Statement, found bool, err error) {
	// Names are ours: whoever wrote another one wrote no statement.
	if name := at[strings.LastIndex(at, "/")+1:]; name == "" || len(name) > 32 || strings.Trim(name, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		return st, false, nil
	}
	e, err := s.Get(ctx, opStatement, s.mount, at, 1) // the first is the one that counts
	if err != nil || e.Data == nil {
		return st, false, err
	}
	text, _ := e.Data[statementField].(string)
	if json.Unmarshal([]byte(text), &st) != nil {
		st = people.Statement{}
	}
	st.At = e.Written
	return st, true, nil
}
