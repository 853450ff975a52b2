// Command kubeapi answers kube-proxy as a cluster with a few services would, so that
// scripts/rulesets can record its rules: one with an endpoint, one with two and a node port, one
// with none, one that a client keeps.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"strings"
)

type object = map[string]any

func meta(name string, labels object) object {
	return object{"name": name, "namespace": "default", "uid": "uid-" + name, "resourceVersion": "1", "labels": labels}
}

func service(name, ip string, spec object) object {
	spec["clusterIP"], spec["clusterIPs"], spec["ipFamilies"], spec["ipFamilyPolicy"] = ip, []string{ip}, []string{"IPv4"}, "SingleStack"
	if spec["type"] == nil {
		spec["type"] = "ClusterIP"
	}
	return object{"metadata": meta(name, nil), "spec": spec, "status": object{"loadBalancer": object{}}}
}

func port(number, to int, protocol string) object {
	return object{"name": "", "port": number, "targetPort": to, "protocol": protocol}
}

func slice(service string, to int, protocol string, addresses ...string) object {
	endpoints := []object{}
	for _, a := range addresses {
		endpoints = append(endpoints, object{"addresses": []string{a}, "conditions": object{"ready": true, "serving": true}, "nodeName": "other"})
	}
	return object{
		"metadata": meta(service+"-1", object{"kubernetes.io/service-name": service}), "addressType": "IPv4",
		"endpoints": endpoints, "ports": []object{{"name": "", "port": to, "protocol": protocol}},
	}
}

// lists are the objects by the last part of the path that asks for them.
func lists() map[string][]object {
	balanced := port(80, 80, "TCP")
	balanced["nodePort"] = 30080
	return map[string][]object{
		"nodes": {{"metadata": meta("node", nil), "spec": object{"podCIDR": "10.2.2.0/24"}, "status": object{"addresses": []object{{"type": "InternalIP", "address": "10.1.1.1"}}}}},
		"services": {
			service("one", "10.96.0.10", object{"ports": []object{port(443, 443, "TCP")}, "externalIPs": []string{"10.1.1.1"}}),
			service("two", "10.96.0.11", object{"type": "NodePort", "ports": []object{balanced}, "externalTrafficPolicy": "Cluster"}),
			service("none", "10.96.0.12", object{"ports": []object{port(8080, 8080, "TCP")}}),
			service("kept", "10.96.0.13", object{
				"ports": []object{port(53, 53, "UDP")}, "sessionAffinity": "ClientIP", "sessionAffinityConfig": object{"clientIP": object{"timeoutSeconds": 60}},
			}),
		},
		"endpointslices": {slice("one", 443, "TCP", "10.2.2.2"), slice("two", 80, "TCP", "10.2.2.2", "10.2.2.3"), slice("kept", 53, "UDP", "10.2.2.2")},
	}
}

var kinds = map[string]object{
	"nodes": {"kind": "NodeList", "apiVersion": "v1"}, "services": {"kind": "ServiceList", "apiVersion": "v1"},
	"endpointslices": {"kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1"}, "servicecidrs": {"kind": "ServiceCIDRList", "apiVersion": "networking.k8s.io/v1beta1"},
}

func answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("watch") != "" {
		w.(http.Flusher).Flush()
		<-r.Context().Done() // nothing ever changes
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	last := parts[len(parts)-1]
	if strings.Contains(r.URL.Path, "/nodes/") {
		node := lists()["nodes"][0]
		node["kind"], node["apiVersion"] = "Node", "v1"
		_ = json.NewEncoder(w).Encode(node)
		return
	}
	kind, ok := kinds[last]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":404}`)
		return
	}
	items := lists()[last]
	if items == nil {
		items = []object{}
	}
	_ = json.NewEncoder(w).Encode(object{"kind": kind["kind"], "apiVersion": kind["apiVersion"], "metadata": object{"resourceVersion": "1"}, "items": items})
}

func main() {
	log.Fatal(http.ListenAndServe("127.0.0.1:8001", http.HandlerFunc(answer)))
}
