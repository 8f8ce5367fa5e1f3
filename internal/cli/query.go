package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"rollcall/workflows"
)

// running asks the campaign of the device for its status; nil when none runs.
func (s *session) running(ctx context.Context) (*workflows.Status, error) {
	status, err := s.workflowStatus(ctx)
	if err != nil || status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil, err
	}
	return s.query(ctx)
}

// workflowStatus is that of the device's campaign, unspecified if there never
// was one. It needs no worker.
func (s *session) workflowStatus(ctx context.Context) (enumspb.WorkflowExecutionStatus, error) {
	d, err := s.describe(ctx)
	if err != nil || d == nil {
		return enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED, err
	}
	return d.WorkflowExecutionInfo.Status, nil
}

// describe tells of the device's latest campaign on this Temporal; nil if there
// was none.
func (s *session) describe(ctx context.Context) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	d, err := s.engine.DescribeWorkflowExecution(ctx, workflows.CampaignID(s.cfg.Device), "")
	if late(err) && ctx.Err() == nil { // this process may have stood still, and not Temporal
		d, err = s.engine.DescribeWorkflowExecution(ctx, workflows.CampaignID(s.cfg.Device), "")
	}
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking Temporal at %s for the campaign: %w", s.engine.Address, err)
	}
	return d, nil
}

// queryTimeout is below the SDK's own limit of 10 s for a call, whose end looks
// like a broken connection.
const queryTimeout = 8 * time.Second

// rejoinTimeout is how long `run` waits for its own worker to answer: what a
// worker that was killed had in hand is given out again after ten seconds, and
// a busy machine needs more.
const rejoinTimeout = 90 * time.Second

// againTimeout is the same for one elsewhere, where one asked for work lately.
const againTimeout = 30 * time.Second

// query needs a live worker. The one of this process may first have to wait for
// what a killed one had in hand. So may others: what Temporal has handed to the
// killed one it hands to another some seconds later, who may be busy.
func (s *session) query(ctx context.Context) (*workflows.Status, error) {
	v, err := s.queryOnce(ctx)
	patience := rejoinTimeout
	if !s.engine.Started {
		if patience = againTimeout; err != nil && s.mayAnswer(ctx, err) {
			s.say("waiting: the campaign gave %v, and a worker is there, which may be busy: it is asked again, for %s at most", err, patience)
		}
	}
	for end := time.Now().Add(patience); err != nil && ctx.Err() == nil && time.Now().Before(end) && s.mayAnswer(ctx, err); {
		select {
		case <-time.After(200 * time.Millisecond):
			v, err = s.queryOnce(ctx)
		case <-s.engine.Gone():
			return nil, fmt.Errorf("the engine ended by itself; the same command goes on from what is on disk (its log is in %s)", s.stateDir)
		case <-ctx.Done():
		}
	}
	if err != nil {
		return nil, fmt.Errorf("asking the campaign at %s for its status: %w; only a worker can answer: start `rollcall worker`", s.engine.Address, err)
	}
	var st workflows.Status
	if err := v.Get(&st); err != nil {
		return nil, err
	}
	for i := range min(st.Wave+1, len(st.Waves)) {
		if !st.Waves[i].Ended {
			s.addRunningWave(ctx, &st, i)
		}
	}
	return &st, nil
}

// mayAnswer reports whether a campaign that gave err for an answer may give
// another one. Only silence is worth a wait for a worker elsewhere.
func (s *session) mayAnswer(ctx context.Context, err error) bool {
	if s.engine.Started {
		return true
	}
	if !errors.Is(err, errSilent) {
		return false
	}
	seen, err := s.workersSeen(ctx)
	return err == nil && time.Since(seen[0].asked) < polled
}

var errSilent = errors.New("no answer in time")

func (s *session) queryOnce(ctx context.Context) (converter.EncodedValue, error) {
	within, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	v, err := s.engine.QueryWorkflow(within, workflows.CampaignID(s.cfg.Device), "", workflows.QueryStatus)
	if err != nil && (within.Err() != nil || late(err)) {
		err = errSilent
	}
	return v, err
}

// late reports whether an answer of Temporal did not come in time.
func late(err error) bool {
	var late *serviceerror.DeadlineExceeded
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &late)
}

// addRunningWave asks a running wave, which may end in between: then the
// campaign's own figures stand.
func (s *session) addRunningWave(ctx context.Context, st *workflows.Status, i int) {
	v, err := s.engine.QueryWorkflow(ctx, workflows.WaveID(st.Campaign, st.Waves[i].Wave), "", workflows.QueryStatus)
	if err != nil {
		return
	}
	var w workflows.WaveStatus
	if v.Get(&w) == nil {
		st.Waves[i] = w
	}
}
