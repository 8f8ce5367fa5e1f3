// Command operator stands in for Temporal's own command line in the images of
// `make compose-test`: it knows the four commands of
// deploy/temporal/namespace.sh and their flags, and asks the same of the
// server. The command line itself cannot be built from Go modules: one module
// of it is only in its repository.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 || args[0] != "operator" {
		return errors.New("this stand-in knows `operator cluster health`, `operator namespace describe|create`, `operator search-attribute list|create`")
	}
	flags := flag.NewFlagSet("temporal", flag.ContinueOnError)
	namespace := flags.String("n", "default", "namespace")
	retention := flags.String("retention", "3d", "of closed workflows, in days")
	name := flags.String("name", "", "of the search attribute")
	kind := flags.String("type", "", "of the search attribute")
	if err := flags.Parse(args[3:]); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := client.NewLazyClient(client.Options{HostPort: os.Getenv("TEMPORAL_ADDRESS"), Namespace: *namespace})
	if err != nil {
		return err
	}
	defer c.Close()

	switch strings.Join(args[1:3], " ") {
	case "cluster health":
		_, err := c.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
		return err
	case "namespace describe":
		_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: *namespace})
		return err
	case "namespace create":
		days, err := time.ParseDuration(strings.TrimSuffix(*retention, "d") + "h")
		if err != nil {
			return err
		}
		_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: *namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * days),
		})
		return err
	case "search-attribute list":
		got, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: *namespace})
		if err != nil {
			return err
		}
		for attribute, is := range got.CustomAttributes {
			fmt.Println(attribute, is)
		}
		return nil
	case "search-attribute create":
		is, err := enumspb.IndexedValueTypeFromString(*kind)
		if err != nil {
			return err
		}
		_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: *namespace, SearchAttributes: map[string]enumspb.IndexedValueType{*name: is},
		})
		return err
	default:
		return fmt.Errorf("this stand-in does not know `%s`", strings.Join(args, " "))
	}
}
