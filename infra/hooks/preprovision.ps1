# Before provisioning: checks that the regions have what the app needs, and chooses the model.
# The twin of preprovision.sh, which has more comments; both run the same commands in the same order.
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

function fail([string[]]$lines) { $lines | ForEach-Object { [Console]::Error.WriteLine($_) }; exit 1 }

if (-not (Get-Command az -ErrorAction SilentlyContinue)) { fail 'The Azure CLI is required in addition to azd: install it, and run `az login`.' }
$subscription = $env:AZURE_SUBSCRIPTION_ID
$region = $env:AZURE_LOCATION
$vision_region = if ($env:VISION_LOCATION) { $env:VISION_LOCATION } else { $region }
$model_region = if ($env:MODEL_LOCATION) { $env:MODEL_LOCATION } else { $region }
$tokens = if ($env:MODEL_TOKENS_PER_MINUTE) { [int]$env:MODEL_TOKENS_PER_MINUTE } else { 100000 }
$capacity = [math]::Floor($tokens / 1000)

$signed_in = az account show --subscription $subscription --query "id" -o tsv
if (-not $signed_in) { fail "The Azure CLI cannot use the subscription $subscription`: run ``az login``." }

# ---- Regions ------------------------------------------------------------------------------------

$flex = az functionapp list-flexconsumption-locations --subscription $subscription --query "[?name=='$region'].name" -o tsv
if (-not $flex) { fail "The region $region has no Flex Consumption plan for Functions.", 'Choose another with `azd env set AZURE_LOCATION REGION`.' }

if (-not $env:EXISTING_VISION_ACCOUNT_ID) {
    $vision = az cognitiveservices account list-skus --subscription $subscription --kind ComputerVision --location $vision_region --query "[?name=='S1'].name" -o tsv
    if (-not $vision) { fail "The region $vision_region has no Azure AI Vision (S1).", 'Choose another with `azd env set VISION_LOCATION REGION`, or set EXISTING_VISION_ACCOUNT_ID.' }
}

# ---- Money --------------------------------------------------------------------------------------

$budget = if ($env:DAILY_BUDGET_USD) { $env:DAILY_BUDGET_USD } else { '5' }
if ($budget -eq 'none') {
    Write-Host 'No daily budget: only the quotas limit what Vision and the model cost.'
} else {
    Write-Host "At most $budget US dollars a day are spent on Vision and the model. Choose another limit with"
    Write-Host '`azd env set DAILY_BUDGET_USD 20`, or none at all with `azd env set DAILY_BUDGET_USD none`.'
}

# ---- Model --------------------------------------------------------------------------------------

if ($env:EXISTING_MODEL_ACCOUNT_ID) {
    if (-not $env:MODEL_NAME) { fail 'EXISTING_MODEL_ACCOUNT_ID names an account: set its model with `azd env set MODEL_NAME MODEL`,', 'and MODEL_DEPLOYMENT where the deployment has another name.' }
    Write-Host "Captions come from $env:MODEL_NAME in your account, which is used as it is."
    exit 0
}

# Version and kind that an earlier run chose for another model do not apply to this one.
$wanted_version = $env:MODEL_VERSION
$wanted_kind = $env:MODEL_SKU
if ($env:MODEL_CHOSEN -and -not $env:MODEL_CHOSEN.StartsWith("$env:MODEL_NAME ") -and $env:MODEL_CHOSEN.EndsWith(" $wanted_version $wanted_kind")) {
    $wanted_version = ''
    $wanted_kind = ''
}

if ($env:MODEL_NAME -and $wanted_version -and $wanted_kind) {
    Write-Host "Captions come from $env:MODEL_NAME $wanted_version ($wanted_kind), as set in this environment. To have another model chosen: azd env set MODEL_NAME ''."
    exit 0
}

$offered = az cognitiveservices model list --subscription $subscription --location $model_region --query "[?kind=='OpenAI' && model.skus && model.lifecycleStatus!='Deprecated'].[model.name, model.version, model.isDefaultVersion, join(' ', model.skus[].join('=', [name, usageName || '-']))]" -o tsv
if ($LASTEXITCODE) { fail "The models of $model_region could not be listed." }
$quotas = az cognitiveservices usage list --subscription $subscription --location $model_region --query "[].[name.value, limit, currentValue]" -o tsv
if ($LASTEXITCODE) { fail "The quotas of $model_region could not be listed." }

# Versions of a model with this kind of deployment, the default first: objects with version and quota.
function versions_of($model, $kind) {
    @($offered) | ForEach-Object {
        $name, $version, $default, $kinds = "$_" -split "`t"
        if ($name -eq $model -and (-not $wanted_version -or $version -eq $wanted_version)) {
            foreach ($one in "$kinds" -split ' ') {
                if ($one.StartsWith("$kind=")) { [pscustomobject]@{ rank = [int]($default -ne 'True'); version = $version; quota = $one.Substring($kind.Length + 1) } }
            }
        }
    } | Sort-Object rank, @{ Expression = 'version'; Descending = $true }
}

# Thousands of tokens a minute that are not in use; 0 where there is no such quota.
function left_of($quota) {
    foreach ($line in @($quotas)) {
        $name, $limit, $used = "$line" -split "`t"
        if ($name -eq $quota) { return [math]::Floor([double]::Parse($limit, [cultureinfo]::InvariantCulture) - [double]::Parse($used, [cultureinfo]::InvariantCulture)) }
    }
    0
}

$candidates = if ($env:MODEL_NAME) { @($env:MODEL_NAME) } else { Get-Content "$PSScriptRoot/models.txt" | Where-Object { $_ -and -not $_.StartsWith('#') } }
$kinds = if ($wanted_kind) { @($wanted_kind) } else { 'GlobalStandard', 'DataZoneStandard', 'Standard' }
$why = @()
foreach ($model in $candidates) {
    $seen = ''
    foreach ($kind in $kinds) {
        $best = versions_of $model $kind | Select-Object -First 1
        if (-not $best) { continue }
        $version = $best.version
        $left = left_of $best.quota
        $seen += " $kind has $left,000 tokens a minute left;"
        if ($left -ge $capacity) {
            azd env set MODEL_NAME $model
            azd env set MODEL_VERSION $version
            azd env set MODEL_SKU $kind
            azd env set MODEL_CHOSEN "$model $version $kind"
            Write-Host "Captions will come from $model $version ($kind, $capacity,000 tokens a minute)."
            if ($why) { Write-Host (@('These models cannot be deployed here:') + $why -join "`n") }
            exit 0
        }
    }
    if (-not $seen) { $seen = " not open to new deployments in $model_region" }
    $why += "  $model`:$seen"
}

fail (@("No model can be deployed in $model_region with $capacity,000 tokens a minute:") + $why + 'Set MODEL_LOCATION, MODEL_TOKENS_PER_MINUTE, MODEL_NAME (with MODEL_VERSION and MODEL_SKU it is deployed without', 'these checks) or EXISTING_MODEL_ACCOUNT_ID with `azd env set`. Quotas can be raised in the Azure portal.')
