package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// dynamicValues are where one process on one SQLite file differs from the
// cluster that Temporal's defaults are made for.
var dynamicValues = dynamicconfig.StaticClient{
	// A rate limit on a task queue is divided by its partitions, and a
	// partition that got no poller is a wait: with one, neither happens.
	dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
	dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
	// One user owns this server: limits that protect tenants from each other
	// only slow it.
	dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
	dynamicconfig.FrontendPersistenceMaxQPS.Key():                    10000,
	dynamicconfig.HistoryPersistenceMaxQPS.Key():                     45000,
	dynamicconfig.MatchingPersistenceMaxQPS.Key():                    15000,
	// Nothing here may call out: the engine may run beside an incident.
	dynamicconfig.EnableServerVersionCheck.Key(): false,
	// The default is for a host of 128,000 workflows; campaigns are few.
	dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): 8192,
}

// newServer puts Temporal's services together, each at its endpoint; nothing
// runs yet.
func newServer(store *config.SQL, at []endpoint, logger log.Logger) (temporal.Server, error) {
	conf := &config.Config{
		Persistence: config.Persistence{
			DefaultStore:     "sqlite",
			VisibilityStore:  "sqlite",
			NumHistoryShards: 1,
			DataStores:       map[string]config.DataStore{"sqlite": {SQL: store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: at[0].String()},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
		PublicClient: config.PublicClient{HostPort: at[0].String()},
		Services:     map[string]config.Service{},
	}
	conf.Global.Membership = config.Membership{MaxJoinDuration: 30 * time.Second, BroadcastAddress: at[0].ip}
	hosts := map[primitives.ServiceName]static.Hosts{}
	for i, name := range services {
		conf.Services[string(name)] = config.Service{RPC: config.RPC{GRPCPort: at[i].port, BindOnIP: at[i].ip}}
		hosts[name] = static.SingleLocalHost(at[i].String())
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(conf),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.WithDynamicConfigClient(dynamicValues),
	)
	if err != nil {
		return nil, fmt.Errorf("putting Temporal together: %w", err)
	}
	return server, nil
}

// awaitReady returns when the frontend knows the namespace and history answers
// for a workflow that does not exist, or with ctx, or after a minute.
func awaitReady(ctx context.Context, address string) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	client := workflowservice.NewWorkflowServiceClient(conn)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := client.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
			Namespace: namespace,
			Execution: &commonpb.WorkflowExecution{WorkflowId: "rollcall-engine-ready"},
		})
		var absent *serviceerror.NotFound
		if errors.As(serviceerror.FromStatus(status.Convert(err)), &absent) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("Temporal at %s does not answer: %w", address, errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}
