#!/bin/sh
# Before provisioning: checks that the regions have what the app needs, and chooses the model, which a
# template cannot do. preprovision.ps1 does the same in the same order.
set -eu

hooks=$(dirname "$0")
tell() { printf '%s\n' "$*"; }
fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

command -v az >/dev/null || fail "The Azure CLI is required in addition to azd: install it, and run \`az login\`."
subscription=$AZURE_SUBSCRIPTION_ID
region=$AZURE_LOCATION
vision_region=${VISION_LOCATION:-$region}
model_region=${MODEL_LOCATION:-$region}
capacity=$((${MODEL_TOKENS_PER_MINUTE:-100000} / 1000))

signed_in=$(az account show --subscription "$subscription" --query "id" -o tsv) ||
    fail "The Azure CLI cannot use the subscription $subscription: run \`az login\`."
[ -n "$signed_in" ] || fail "The Azure CLI does not find the subscription $subscription."

# ---- Regions ------------------------------------------------------------------------------------

flex=$(az functionapp list-flexconsumption-locations --subscription "$subscription" --query "[?name=='$region'].name" -o tsv)
[ -n "$flex" ] || fail "The region $region has no Flex Consumption plan for Functions." \
    "\`az functionapp list-flexconsumption-locations -o table\` lists the regions that have it;" \
    "choose one with \`azd env set AZURE_LOCATION REGION\`."

if [ -z "${EXISTING_VISION_ACCOUNT_ID:-}" ]; then
    vision=$(az cognitiveservices account list-skus --subscription "$subscription" --kind ComputerVision --location "$vision_region" --query "[?name=='S1'].name" -o tsv)
    [ -n "$vision" ] || fail "The region $vision_region has no Azure AI Vision (S1)." \
        "Choose another region for Vision alone with \`azd env set VISION_LOCATION REGION\`," \
        "or use an existing account: \`azd env set EXISTING_VISION_ACCOUNT_ID ID\`."
fi

# ---- Money --------------------------------------------------------------------------------------

budget=${DAILY_BUDGET_USD:-5}
case $budget in
[Nn][Oo][Nn][Ee]) tell "No daily budget: only the quotas limit what Vision and the model cost." ;;
*) tell "At most $budget US dollars a day are spent on Vision and the model. Choose another limit with" \
    "\`azd env set DAILY_BUDGET_USD 20\`, or none at all with \`azd env set DAILY_BUDGET_USD none\`." ;;
esac

# ---- Model --------------------------------------------------------------------------------------

if [ -n "${EXISTING_MODEL_ACCOUNT_ID:-}" ]; then
    [ -n "${MODEL_NAME:-}" ] || fail "EXISTING_MODEL_ACCOUNT_ID names an account: set its model" \
        "with \`azd env set MODEL_NAME MODEL\`, and MODEL_DEPLOYMENT where the deployment has another name."
    tell "Captions come from $MODEL_NAME in your account, which is used as it is."
    exit 0
fi

# Version and kind that an earlier run chose for another model do not apply to this one.
case "${MODEL_CHOSEN:-}" in
"" | "${MODEL_NAME:-} "*) ;;
*" ${MODEL_VERSION:-} ${MODEL_SKU:-}") MODEL_VERSION="" MODEL_SKU="" ;;
esac

# A complete choice is not questioned, whether an earlier run made it, whose model may already be
# deployed, or a person.
if [ -n "${MODEL_NAME:-}" ] && [ -n "${MODEL_VERSION:-}" ] && [ -n "${MODEL_SKU:-}" ]; then
    tell "Captions come from $MODEL_NAME $MODEL_VERSION ($MODEL_SKU), as set in this environment." \
        "To have another model chosen: \`azd env set MODEL_NAME ''\`."
    exit 0
fi

# A line for each version of a model: name, version, whether it is the default one, and its kinds of
# deployment as KIND=QUOTA. Deprecated models accept no new deployments.
offered=$(az cognitiveservices model list --subscription "$subscription" --location "$model_region" --query "[?kind=='OpenAI' && model.skus && model.lifecycleStatus!='Deprecated'].[model.name, model.version, model.isDefaultVersion, join(' ', model.skus[].join('=', [name, usageName || '-']))]" -o tsv)
# A line for each quota: its name, thousands of tokens a minute in all, and in use.
quotas=$(az cognitiveservices usage list --subscription "$subscription" --location "$model_region" --query "[].[name.value, limit, currentValue]" -o tsv)

# versions_of MODEL KIND: `VERSION QUOTA` of each version with this kind of deployment, the default first.
versions_of() {
    printf '%s\n' "$offered" | awk -F '\t' -v model="$1" -v kind="$2" -v only="${MODEL_VERSION:-}" '
        $1 == model && (only == "" || $2 == only) {
            count = split($4, kinds, " ")
            for (i = 1; i <= count; i++) if (index(kinds[i], kind "=") == 1)
                print (tolower($3) == "true" ? 0 : 1), $2, substr(kinds[i], length(kind) + 2)
        }' | sort -k1,1n -k2,2r | cut -d ' ' -f 2-
}

# left_of QUOTA: thousands of tokens a minute that are not in use; 0 where there is no such quota.
left_of() {
    printf '%s\n' "$quotas" | awk -F '\t' -v quota="$1" '$1 == quota { left = int($2 - $3) } END { print left + 0 }'
}

candidates=${MODEL_NAME:-$(grep -v '^#' "$hooks/models.txt")}
kinds=${MODEL_SKU:-GlobalStandard DataZoneStandard Standard}
why=""
for model in $candidates; do
    seen=""
    for kind in $kinds; do
        best=$(versions_of "$model" "$kind" | head -n 1)
        [ -n "$best" ] || continue
        version=${best% *}
        left=$(left_of "${best#* }")
        seen="$seen $kind has $left,000 tokens a minute left;"
        if [ "$left" -ge "$capacity" ]; then
            azd env set MODEL_NAME "$model"
            azd env set MODEL_VERSION "$version"
            azd env set MODEL_SKU "$kind"
            azd env set MODEL_CHOSEN "$model $version $kind"
            tell "Captions will come from $model $version ($kind, $capacity,000 tokens a minute)."
            [ -z "$why" ] || tell "These models cannot be deployed here:$why"
            exit 0
        fi
    done
    why="$why
  $model:${seen:- not open to new deployments in $model_region}"
done

fail "No model can be deployed in $model_region with $capacity,000 tokens a minute:$why" \
    "Choose another region for the model (\`azd env set MODEL_LOCATION REGION\`), fewer tokens" \
    "(\`azd env set MODEL_TOKENS_PER_MINUTE 30000\`), or an existing account (EXISTING_MODEL_ACCOUNT_ID)." \
    "MODEL_NAME can name a model that is not in infra/hooks/models.txt; with MODEL_VERSION and MODEL_SKU" \
    "it is deployed without these checks. Quotas can be raised in the Azure portal."
