package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// columnsAreAsDocumented asks for the ChangeTriggeredJob as kubectl does: with the columns that the bundle's CRD has.
func columnsAreAsDocumented(ctx context.Context, t *trial) error {
	if err := t.watch(ctx, nil, "config"); err != nil {
		return err
	}
	if err := t.change(ctx, "config", "after"); err != nil {
		return err
	}
	ran := t.triggered(ctx, 1) // where none does, the columns show it
	want, err := bundledColumns(t.bundle)
	if err != nil {
		return err
	}
	table, err := t.table(ctx)
	if err != nil {
		return err
	}
	var got []string
	for _, column := range table.ColumnDefinitions {
		got = append(got, column.Name)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("the columns are %q, and those of the bundle %q", got, want)
	}
	if len(table.Rows) != 1 || len(table.Rows[0].Cells) != len(want) {
		return errors.New("there is no row, or it has not a cell for each column")
	}
	for i, cell := range table.Rows[0].Cells {
		if cell == nil || cell == "" {
			return errors.Join(fmt.Errorf("column %s is empty", want[i]), ran)
		}
		t.saw("%s: %v", want[i], cell)
	}
	return ran
}

// bundledColumns are the columns of the bundle's CRD, after the name, which every kind has.
func bundledColumns(bundle string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(bundle, "manifests", "*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // of the bundle
		if err != nil {
			return nil, fmt.Errorf("read the bundle: %w", err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(data, &crd); err != nil || crd.Kind != "CustomResourceDefinition" {
			continue // another manifest
		}
		for _, version := range crd.Spec.Versions {
			if crd.Spec.Group != v1alpha.GroupVersion.Group || version.Name != v1alpha.GroupVersion.Version {
				continue
			}
			columns := []string{"Name"}
			for _, column := range version.AdditionalPrinterColumns {
				columns = append(columns, column.Name)
			}
			return columns, nil
		}
	}
	return nil, fmt.Errorf("the bundle at %s has no definition of ChangeTriggeredJob", bundle)
}

// table is the ChangeTriggeredJob as the API server prints it.
func (t *trial) table(ctx context.Context) (*metav1.Table, error) {
	config := rest.CopyConfig(t.config)
	config.GroupVersion = &v1alpha.GroupVersion
	config.APIPath = "/apis"
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	api, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for tables: %w", err)
	}
	data, err := api.Get().Namespace(t.namespace).Resource("changetriggeredjobs").Name(t.name).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(ctx).Raw()
	if err != nil {
		return nil, fmt.Errorf("get the table: %w", err)
	}
	var table metav1.Table
	if err := json.Unmarshal(data, &table); err != nil {
		return nil, fmt.Errorf("read the table: %w", err)
	}
	return &table, nil
}
