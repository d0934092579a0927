# After deploying: subscribes the app to events of new images, and prints the next steps.
# The twin of postdeploy.sh, which has more comments; both run the same commands in the same order.
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

function again([string]$what) {
    $what, 'Until this is fixed, only the app''s timer finds new images, ten minutes after their upload or later.', 'Fix the cause, then run `azd hooks run postdeploy`.' | ForEach-Object { [Console]::Error.WriteLine($_) }
    exit 1
}

if (-not (Get-Command az -ErrorAction SilentlyContinue)) { again 'The Azure CLI is required in addition to azd: install it, and run `az login`.' }
$hooks = $PSScriptRoot
$subscription = $env:AZURE_SUBSCRIPTION_ID
$group = $env:AZURE_RESOURCE_GROUP
$app = $env:APP_NAME
$topic = $env:EVENT_TOPIC
$account = $env:IMAGES_ACCOUNT
$container = $env:IMAGES_CONTAINER
$pause = if ($env:HOOK_PAUSE) { [int]$env:HOOK_PAUSE } else { 10 }
$prefix = "/blobServices/default/containers/$container/blobs/"
$function = 'caption_image'

# ---- Wait for the app to start: its functions are known, and it has created its key ---------------

$key = ''
$functions = @()
foreach ($try in 1..30) {
    $functions = az functionapp function list --subscription $subscription -g $group -n $app --query "[].name" -o tsv 2>$null
    $key = az functionapp keys list --subscription $subscription -g $group -n $app --query "systemKeys.blobs_extension && 'there'" -o tsv 2>$null
    if (@($functions) -contains "$app/$function" -and $key -eq 'there') { break }
    if ($try -eq 1) { Write-Host 'Waiting for the app to start...' }
    Start-Sleep -Seconds $pause
}
if (@($functions) -notcontains "$app/$function") { again "The app does not have the function $function after $try tries: it did not start, or its roles are not effective yet. See its log." }
if ($key -ne 'there') { again "The app has no key blobs_extension after $try tries; its blob trigger creates it. Restart the app." }

# ---- The subscription -----------------------------------------------------------------------------

$made = ''
foreach ($try in 1..5) {
    $made = az deployment group create --subscription $subscription -g $group -n image-events --template-file "$hooks/../events.bicep" --parameters topicName="$topic" imagesAccountName="$account" imagesContainer="$container" deletedQueue="$env:DELETED_QUEUE" deadLetterContainer="$env:DEAD_LETTER_CONTAINER" appName="$app" --query "properties.provisioningState" -o tsv
    if ($made -eq 'Succeeded') { break }
    Start-Sleep -Seconds $pause
}
if ($made -ne 'Succeeded') { again "The Event Grid subscription 'created' could not be created; see above. If it has another endpoint or an old key, delete it first, with ``az eventgrid system-topic event-subscription delete``." }

# Check the subscription as it is now, not as it was requested.
$found = az eventgrid system-topic event-subscription show --subscription $subscription -g $group --system-topic-name $topic -n created --query "join(' ', [provisioningState, destination.endpointBaseUrl, filter.subjectBeginsWith])" -o tsv
if ($found -ne "Succeeded $env:APP_URL/runtime/webhooks/blobs $prefix") { again "The Event Grid subscription 'created' is not as it should be: $found" }
Write-Host "Event Grid sends the app events of new images in $container."

# ---- Next steps -----------------------------------------------------------------------------------

Write-Host ''
if (@($functions) -contains "$app/gallery") { Write-Host "Gallery         $env:APP_URL/" }
Write-Host "Health          $env:APP_URL/api/health"
Write-Host "Captions        $env:APP_URL/api/captions?code=KEY"
Write-Host "A key           az functionapp keys list -g $group -n $app --query functionKeys.default -o tsv"
Write-Host "A first image   az storage blob upload --auth-mode login --account-name $account -c $container -n samples/cat.jpg -f samples/cat.jpg"
Write-Host '                (your role may take some minutes to become effective)'
Write-Host 'Images that are already in the container are captioned automatically, from ten minutes after their'
Write-Host 'upload on; 10,000 are checked every five minutes. Copy other images in, for example with azcopy.'
