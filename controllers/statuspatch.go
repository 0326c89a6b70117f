package controllers

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// statusPatch returns the merge patch that turns the stored status of ctj into status, and nothing else.
//
// It carries the resourceVersion that was decided on, so that a process that acts on an old copy gets a
// conflict instead of moving the baseline back. It leaves the spec out: a Job template can be large, and
// the patch is written for every trigger.
func statusPatch(ctj *v1alpha.ChangeTriggeredJob, status *v1alpha.ChangeTriggeredJobStatus) (client.Patch, error) {
	stored, err := fieldsOf(&ctj.Status)
	if err != nil {
		return nil, err
	}
	wanted, err := fieldsOf(status)
	if err != nil {
		return nil, err
	}
	for name := range stored {
		if _, ok := wanted[name]; !ok {
			wanted[name] = json.RawMessage("null") // a merge patch removes with null
		}
	}
	data, err := json.Marshal(map[string]any{
		"metadata": map[string]string{"resourceVersion": ctj.ResourceVersion},
		"status":   wanted,
	})
	if err != nil {
		return nil, fmt.Errorf("encode the status patch: %w", err)
	}
	return client.RawPatch(types.MergePatchType, data), nil
}

// fieldsOf returns the top-level fields of a status. All below them are lists or scalars, which a merge
// patch replaces whole.
func fieldsOf(status *v1alpha.ChangeTriggeredJobStatus) (map[string]json.RawMessage, error) {
	data, err := json.Marshal(status)
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("decode status: %w", err)
	}
	return fields, nil
}
